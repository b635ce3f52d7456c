"""What clients of a training send: changes of weights, and of statistics if there are."""

from typing import NamedTuple

import numpy as np

from federated import tensor_names
from selenc_tf.flatten import FlatSpec
from selenc_tf.models.task import LearningTask


class Layout(NamedTuple):
    """The flat vector of an update.

    Attributes:
      spec: Its tensors, in the order in which the aggregator takes them.
      weights: For each, its place among the trainable tensors; None for a statistic.
    """

    spec: FlatSpec
    weights: tuple[int | None, ...]

    def widened(self, mask: np.ndarray) -> np.ndarray:
        """A mask of the weights as one of the whole update.

        Statistics are hidden wherever anything is: nobody has scored them, and means of
        a batch tell much.

        Args:
          mask: bool [number of weights], tensor after tensor in Keras' order.

        Returns:
          bool [spec.size].
        """
        sizes = {
            at: size
            for at, size in zip(self.weights, self.spec.sizes, strict=True)
            if at is not None
        }
        ends = np.cumsum([sizes[at] for at in range(len(sizes))])[:-1]
        parts = np.split(mask, ends)
        return np.concatenate(
            [
                np.full(size, mask.any()) if at is None else parts[at]
                for at, size in zip(self.weights, self.spec.sizes, strict=True)
            ]
        )


def of_task(task: LearningTask) -> Layout:
    """The layout of a task's updates.

    Args:
      task: What is trained.

    Returns:
      It; the same as `task.spec` for a task without statistics.
    """
    listed = [
        (tensor_names.key(index, name), index if is_weight else None, shape)
        for spec, is_weight in ((task.spec, True), (task.state_spec, False))
        if spec is not None
        for index, (name, shape) in enumerate(zip(spec.names, spec.shapes, strict=True))
    ]
    # TensorFlow flattens dictionaries by their keys.
    listed.sort(key=lambda one: one[0])
    return Layout(
        FlatSpec(
            tuple(tensor_names.layout_name(key) for key, _, _ in listed),
            tuple(shape for _, _, shape in listed),
        ),
        tuple(at for _, at, _ in listed),
    )
