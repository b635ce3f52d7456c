"""What works with a Keras model, for all layers at once and before anything runs."""

import dataclasses
from typing import Any

import keras

from selenc_tf.models import contract, functional, structures, tracing
from selenc_tf.models import task as task_lib


@dataclasses.dataclass(frozen=True)
class ModelReport:
    """What a Keras model can be used for.

    Attributes:
      name: The model's.
      problems: Why it cannot be trained; empty if it can.
      notes: What is computed otherwise than one might think.
      tensors: Names of its trainable tensors, by which masks can choose.
      state: Names of what training moves beside them.
      by_examples: Why metrics that differentiate, federated SGD rounds and attacks do not
        take it; "" if they do.
    """

    name: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    tensors: tuple[str, ...]
    state: tuple[str, ...]
    by_examples: str

    def __str__(self) -> str:
        """A table for the screen."""
        rows = [
            *[("training", f"no: {one}") for one in self.problems],
            *[("training", "yes")][: not self.problems],
            ("masks by name", ", ".join(self.tensors) or "no tensors"),
            ("averaged statistics", ", ".join(self.state) or "none"),
            ("metrics by examples, attacks", self.by_examples or "yes"),
            *(("note", note) for note in self.notes),
        ]
        width = max(len(key) for key, _ in rows)
        lines = [f"  {key:{width}}  {value}" for key, value in rows]
        return "\n".join([f"model {self.name!r}", *lines])


def check_model(
    model: keras.Model, loss: Any = None, *, inputs: Any = None, training: bool = True
) -> ModelReport:
    """Says what works with a model, and why not what does not.

    Args:
      model: Any Keras 3 model.
      loss: As `task.from_keras` takes it.
      inputs: Alike.
      training: Alike.

    Returns:
      The report; printed, it is a table. Nothing is trained, and no value is changed.
    """
    found = list(_problems(model, inputs))
    task = None
    if not found:
        try:
            task = task_lib.from_keras(model, loss, inputs=inputs, training=training)
        except (ValueError, TypeError) as error:
            found.append(str(error))
    if task is None:
        why = "it cannot be trained"
        return ModelReport(model.name, tuple(found), (), _names(model), (), why)
    why = ""
    try:
        functional.from_task(task)
    except ValueError as error:
        why = str(error)
    return ModelReport(
        name=task.name,
        problems=(),
        notes=tuple(_notes(model, task)),
        tensors=task.spec.names,
        state=task.state_spec.names if task.state_spec else (),
        by_examples=why,
    )


def _problems(model: keras.Model, inputs: Any) -> list[str]:
    """All of them, not only the first."""
    found = [*contract.of_environment(), *contract.of_layers(model)]
    try:
        specs = structures.inputs_of(model) if inputs is None else inputs
        if model.built:
            found += contract.of_trace(model, tracing.trace(model, specs))
    except (ValueError, TypeError) as error:
        found.append(str(error).splitlines()[0])
    return found


def _notes(model: keras.Model, task: task_lib.LearningTask) -> list[str]:
    notes = [f"loss {task.objective.name} ({task.objective.kind})"]
    if task.state_spec:
        notes.append(
            "TFF's own builders leave the statistics as they are; "
            "`federated.build_weighted_fed_avg` averages them"
        )
    if task.is_random:
        notes.append(
            "each batch draws random numbers (dropout or noise) by its own seed"
        )
    unused = tracing.trace(model, task.inputs).unused
    if unused:
        notes.append(f"nothing reads {', '.join(unused)}: their gradient is zero")
    integers = [one for one in structures.flat(task.inputs) if one.dtype.is_integer]
    if integers:
        notes.append("integer inputs (tokens) are trained, and not attacked as numbers")
    return notes


def _names(model: keras.Model) -> tuple[str, ...]:
    return tuple(variable.path for variable in model.trainable_variables)
