"""Examples that a program has at hand: arrays, or a `tf.data.Dataset`."""

import sys
from typing import Any

import numpy as np

from experiments.data.own import assembling, function
from experiments.data.own.assembling import Raw
from experiments.data.own_data import OwnData


def load(
    given: Any, *, name: str, value_range: tuple[float, float] | None = None
) -> OwnData:
    """Checks examples and brings them into a model's units, as those of a function.

    Args:
      given: (x, y) or (x, y, client) of arrays; a `tf.data.Dataset` of batches (x, y), as
        `model.fit` takes it; or what else a function of `--data` may return.
      name: What results call the data.
      value_range: Of the user, or None to read it from the data.

    Returns:
      The data.

    Raises:
      ValueError: If it is something else, or not as it must be. Values are not shown.
    """
    # Whoever has such an object has imported TensorFlow.
    tf = sys.modules.get("tensorflow")
    if isinstance(given, OwnData):
        if value_range is not None:
            raise ValueError(
                "`data` is an `OwnData`, which says its own value range. Leave out "
                "`data_range`."
            )
        return given
    if tf is not None and isinstance(given, tf.data.Dataset):
        raw, source = _of_batches(given, tf), "a tf.data.Dataset"
    elif not isinstance(given, tuple) and not hasattr(given, "client_ids"):
        raise ValueError(
            "`data` must be (x, y) or (x, y, client) of arrays, or a tf.data.Dataset of "
            f"batches (x, y), got {type(given).__name__}."
        )
    else:
        raw, source = function.as_raw(given, "label"), "arrays"
    return assembling.assemble(raw, name=name, source=source, value_range=value_range)


def _of_batches(batches: Any, tf: Any) -> Raw:
    spec = batches.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        what = f"{type(spec).__name__}"
        what += f" of {len(spec)}" if isinstance(spec, tuple) else ""
        raise ValueError(
            "A tf.data.Dataset must be of batches (x, y), without weights of examples, "
            f"got {what}."
        )
    if any(not part.shape.rank for part in tf.nest.flatten(spec)):
        raise ValueError(
            "A tf.data.Dataset must be of batches (x, y), got one of single examples. "
            "Call `.batch(32)` on it."
        )
    if batches.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "A tf.data.Dataset must end, got one that repeats for ever. Call `.take` on it."
        )
    found = list(batches.as_numpy_iterator())
    if not found:
        raise ValueError("A tf.data.Dataset must have at least one batch, got none.")
    inputs, labels = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *found)
    return Raw(inputs, labels)
