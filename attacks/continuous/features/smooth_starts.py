"""Starts for the mixture of a batch, from what the examples have in common.

Pictures are alike, and so are their inputs of a dense layer: their common part is the
span's strongest direction. With the derivatives that the common part has under each
label the equations of the mixture are linear.
"""

import numpy as np

from attacks.continuous.features import mixing

_RIDGES = (1e-3, 1e-1, 1e-5)
_NOISES = (0.0, 0.1, 0.3, 0.03, 1.0)


def start(
    given: mixing.Problem,
    labels: np.ndarray,
    index: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """One start.

    Args:
      given: The equations.
      labels: float64 [b, c].
      index: Which one: ridge and noise vary.
      generator: Of the noise, which also tells examples of one class apart.

    Returns:
      float64 [b, r], combinations.
    """
    size = given.size
    common = given.common
    outputs = given.outputs(common[None])
    noise = _NOISES[index % len(_NOISES)] or 0.01
    outputs = outputs + noise * np.std(outputs) * generator.standard_normal(
        (size, outputs.shape[1])
    )
    slopes = given.layer.slopes.slopes(outputs, labels)
    columns = given.span.columns
    model = slopes[:, columns] / given.span.scale[columns] / size
    gram = model @ model.T
    ridge = _RIDGES[(index // len(_NOISES)) % len(_RIDGES)] * np.trace(gram) / size
    right = model @ given.seen.T + ridge * common
    found: np.ndarray = np.linalg.solve(gram + ridge * np.eye(size), right)
    return found
