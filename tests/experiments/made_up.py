"""Pictures of few pixels, for tests of whole commands."""

import numpy as np

from experiments.data import dataset as dataset_lib


def pictures(shape=(4, 4, 1), count=12, classes=3):
    """Random pictures of as many classes, one after the other."""
    rng = np.random.default_rng(0)
    return dataset_lib.Dataset(
        name="made-up",
        examples=rng.uniform(0.1, 0.9, (count, *shape)).astype(np.float32),
        labels=(np.arange(count) % classes).astype(np.int32),
        num_classes=classes,
        source="random",
        licence="none",
        citation="none",
        note="Random pictures.",
    )
