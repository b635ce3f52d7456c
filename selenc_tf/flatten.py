"""Between a model's list of tensors and one flat vector."""

import dataclasses
import math
from collections.abc import Sequence

import tensorflow as tf

from selenc_tf.types import Vector, Weights


@dataclasses.dataclass(frozen=True)
class FlatSpec:
    """The layout of a flat vector: tensor after tensor, each in row-major order.

    Attributes:
      names: One name for each tensor, for reports and layer-wise policies.
      shapes: Their static shapes.
      named: Whether the names are the model's own, and not mere numbers.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    named: bool = True

    def __post_init__(self) -> None:
        """Checks that names and shapes belong together.

        Raises:
          ValueError: If the lengths differ or there is nothing to flatten.
        """
        if len(self.names) != len(self.shapes):
            raise ValueError(
                f"`names` and `shapes` must have the same length, got {len(self.names)}"
                f" and {len(self.shapes)}."
            )
        if not self.shapes:
            raise ValueError(
                "`shapes` must name at least one tensor: a model without trainable "
                "weights has no gradient to protect. Set `layer.trainable = True`."
            )

    def own_names(self, what: str) -> tuple[str, ...]:
        """The names, for whoever chooses by them.

        Args:
          what: Who needs them.

        Raises:
          ValueError: If there are none: what is protected would silently be another.
        """
        if not self.named:
            raise ValueError(
                f"{what} chooses tensors by their names, but these have none. Make the "
                "model by `federated.tff_model`, whose tensors are named, or pass "
                "`names`, one for each tensor in order."
            )
        return self.names

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of entries of each tensor."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        """n, the number of entries of the flat vector."""
        return sum(self.sizes)


def flatten(tensors: Sequence[tf.Tensor]) -> Vector:
    """Concatenates tensors into one vector.

    Runs on: any party. Sees: what it is given.

    Args:
      tensors: Tensors of one dtype and any shapes, at least one.

    Returns:
      A vector of that dtype, [n].

    Example:
      >>> flatten([tf.constant([[1, 2], [3, 4]]), tf.constant([5])]).numpy().tolist()
      [1, 2, 3, 4, 5]
    """
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)


def unflatten(vector: Vector, spec: FlatSpec) -> Weights:
    """Cuts a flat vector into the tensors of `spec`; the inverse of `flatten`.

    Runs on: any party. Sees: what it is given.

    Args:
      vector: [n] of any dtype.
      spec: The layout; `spec.size` must be n.

    Returns:
      One tensor for each entry of `spec`.

    Raises:
      ValueError: If the static length of `vector` is not `spec.size`.
    """
    length = vector.shape[0]
    if length is not None and length != spec.size:
        raise ValueError(
            f"`vector` must have {spec.size} entries, as its `spec` says, got {length}."
        )
    parts = tf.split(vector, spec.sizes)
    return tuple(
        tf.reshape(part, shape) for part, shape in zip(parts, spec.shapes, strict=True)
    )
