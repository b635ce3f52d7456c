"""Pictures that a first-order search begins at."""

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks.continuous.first_order import recipes
from selenc_tf.types import Seed

_PATCH = 4
"""Side of the tile of a patterned start."""


def draw_images(
    knowledge: knowledge_lib.Knowledge,
    initial: recipes.Initial,
    seed: Seed,
    index: int,
) -> np.ndarray:
    """Draws starting pictures, float32 [b, *input_shape] in [0, 1]; see `recipes.Initial`.

    Raises:
      DoesNotApply: If a patch is to be tiled that is of no picture.
    """
    generator = np.random.default_rng([*seed, index])
    size = knowledge.batch_size
    shape = (size, *knowledge.model.input_shape)
    if initial == "uniform":
        images = generator.uniform(size=shape)
    elif initial == "patterned":
        knowledge_lib.check_pictures(knowledge.model, "a start from a patch")
        height, width, channels = knowledge.model.input_shape
        patch = generator.uniform(size=(size, _PATCH, _PATCH, channels))
        tiles = (1, -(-height // _PATCH), -(-width // _PATCH), 1)
        images = np.tile(patch, tiles)[:, :height, :width]
    else:
        deviation = 0.02 if initial == "grey" else 0.25
        images = 0.5 + deviation * generator.standard_normal(shape)
    return np.clip(images, 0.0, 1.0).astype(np.float32)
