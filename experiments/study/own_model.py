"""A model of the user's own, by flag: its code is called, its weights are loaded."""

import dataclasses
import importlib
import traceback
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from experiments.study import places
from experiments.study.flag_table import SettingsError
from experiments.study.settings import Subject
from selenc_tf.models import objectives, variables
from selenc_tf.models import task as task_lib
from selenc_tf.models.task import LearningTask


def task(asked: Subject) -> LearningTask:
    """Makes the learning task that `--model=package.module:function` stands for.

    Keras' random seed is `--seed` when the function is called, so that a run that goes
    on starts from the same weights.

    Args:
      asked: Checked flags, whose model is code.

    Returns:
      The task, in the model's own units.

    Raises:
      SettingsError: If there is no such function, it fails, or what it returns cannot
        be learned as Keras would.
    """
    keras.utils.set_random_seed(asked.seed)
    return task_of(_called(asked.model), asked)


def task_of(made: Any, asked: Subject) -> LearningTask:
    """Makes the learning task of a model that is there.

    Args:
      made: A Keras model, or a `LearningTask`, which is returned.
      asked: Checked flags; errors call the model by its name there.

    Returns:
      The task, in the model's own units.

    Raises:
      SettingsError: If it is something else, or cannot be learned as Keras would.
    """
    if isinstance(made, LearningTask):
        if asked.loss or not asked.training_mode:
            raise SettingsError(
                f"`--loss` and `--training_mode` are said by `--model={asked.model}`, "
                "which returns a LearningTask. Leave them out."
            )
        return made
    if not isinstance(made, keras.Model):
        raise SettingsError(
            f"`--model={asked.model}` must be a keras.Model or a LearningTask, or return "
            f"one, got "
            f"{type(made).__name__}."
        )
    try:
        guessed = not asked.loss and objectives.of_compiled(made) is None
        task = task_lib.from_keras(
            made, asked.loss or None, training=asked.training_mode
        )
        objective = dataclasses.replace(task.objective, is_guessed=guessed)
        return dataclasses.replace(task, objective=objective)
    except ValueError as error:
        raise SettingsError(
            f"`--model={asked.model}` cannot be used: {error}"
        ) from None


def with_weights(source: LearningTask, weights: str) -> LearningTask:
    """The task, starting from the weights of a file.

    Args:
      source: The task, whose Keras model gets the weights, too.
      weights: A file, as `--weights` takes it.

    Returns:
      The task.

    Raises:
      SettingsError: If the file has other shapes, or cannot be read.
    """
    model, path = source.keras_model, places.path_of(weights)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                model.set_weights([arrays[name] for name in arrays.files])
        else:
            model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise SettingsError(
            f"`--weights={weights}` must have the weights of {source.name!r} in their "
            f"shapes, but they could not be loaded: {told[0]}"
        ) from None
    start = variables.values(model.trainable_variables)
    moving = [model.non_trainable_variables[at] for at in source.places.moving]
    state = variables.values(moving)
    if _not_finite((*start, *state)):
        raise SettingsError(
            f"`--weights={weights}` must be finite numbers, but some are not."
        )
    return dataclasses.replace(
        source,
        initial_weights=start,
        initial_state=state,
        places=variables.of_model(model, source.places.updated),
    )


def check_finite(task: LearningTask, name: str) -> None:
    """Checks what the model starts from: nobody can send a gradient of other weights.

    Args:
      task: The task.
      name: What flags call the model.

    Raises:
      SettingsError: If a weight or a statistic is NaN or infinite.
    """
    values = (*task.initial_weights, *task.initial_state)
    if bad := _not_finite(values):
        layouts = [task.spec, *([task.state_spec] if task.state_spec else [])]
        paths = [path for layout in layouts for path in layout.names]
        raise SettingsError(
            f"`--model={name}` must start from finite weights, but NaN or infinite "
            f"numbers are in {len(bad)} of its {len(values)} tensors, {paths[bad[0]]!r} "
            "first. Train it anew with a lower learning rate, or give others by "
            "`--weights`."
        )


def _not_finite(values: Sequence[Any]) -> list[int]:
    """Places of tensors with numbers that are not finite."""
    return [at for at, one in enumerate(values) if not np.all(np.isfinite(one))]


def _called(place: str) -> Any:
    module, _, name = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise SettingsError(
            f"`--model={place}` must name a function that can be imported from here, "
            f"but: {error}."
        ) from None
    if not callable(found):
        raise SettingsError(f"`--model={place}` must be a function, got {found!r}.")
    try:
        return found()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise SettingsError(
            f"`--model={place}` must return a Keras model, without arguments, but it "
            f"raised {type(error).__name__}: {error} ({last.filename}, line "
            f"{last.lineno})"
        ) from error
