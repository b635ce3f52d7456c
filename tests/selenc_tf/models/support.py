"""What is supported of each architecture, as the rows of `docs/models.md`."""

import tensorflow as tf

from selenc_tf.models import checking, structures
from selenc_tf.models import task as task_lib
from tests.selenc_tf.models import architectures
from tests.selenc_tf.models.architectures import ARCHITECTURES

HEADER = (
    "| architecture | loss | TFF training | averaged beside the weights | masks by name "
    "| metrics by examples, SGD rounds | attacked as numbers |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def row(name: str) -> str:
    """One architecture's row, from the validator."""
    one = ARCHITECTURES[name]
    model = architectures.build(name)
    inputs = tf.TensorSpec((None, 6, 6, 3)) if name == "any size" else None
    report = checking.check_model(model, one.loss, inputs=inputs)
    task = task_lib.from_keras(model, one.loss, inputs=inputs)
    by_examples = "no" if report.by_examples else "yes"
    floating = all(leaf.dtype.is_floating for leaf in structures.flat(task.inputs))
    attacked = "yes" if floating and not report.by_examples else "no"
    cells = (
        name,
        f"{task.objective.name} ({task.objective.kind})",
        "no" if report.problems else "in the mean" if one.random else "equal to Keras",
        f"{len(report.state)} statistics" if report.state else "-",
        f"{len(report.tensors)} tensors",
        by_examples,
        attacked if floating else "no: tokens",
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """All rows. `python -m tests.selenc_tf.models.support` prints them."""
    return "\n".join([HEADER, *map(row, ARCHITECTURES)])


if __name__ == "__main__":
    print(table())
