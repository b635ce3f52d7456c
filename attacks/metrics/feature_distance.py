"""Distance between pictures as the attacked model sees them: in its logits.

A model maps many pictures to the same logits, so a small distance does not mean that a
picture was recovered; it tells whether what the model cares about was.
"""

from typing import Literal, TypeAlias

import numpy as np
import tensorflow as tf

from selenc_tf import validation
from selenc_tf.models import functional

Variant: TypeAlias = Literal["all_logits", "label_columns"]
"""The two definitions in use; numbers of one do not compare with numbers of the other.

`all_logits`: the mean square over all logits of each pair (the code of Geiping,
Bauermeister, Dröge, Moeller, "Inverting Gradients", NeurIPS 2020). `label_columns`: the
mean square over the columns of all the batch's true labels (the later framework of the
same authors); for one picture this is its own label's logit alone.
"""

VARIANTS: tuple[Variant, ...] = ("all_logits", "label_columns")


def logits(
    model: functional.FunctionalModel,
    weights: tuple[np.ndarray, ...],
    images: np.ndarray,
) -> np.ndarray:
    """The model's logits, for distances between pictures and for identification.

    Args:
      model: The architecture.
      weights: The weights of the attacked round.
      images: float [b, h, w, c], clamped to [0, 1] first.

    Returns:
      float64 [b, classes].
    """
    dtype = model.initial_weights[0].dtype
    inputs = tf.constant(np.clip(images, 0.0, 1.0), dtype)
    found = model.apply(tuple(tf.constant(tensor, dtype) for tensor in weights), inputs)
    return found.numpy().astype(np.float64)


def feature_mse(
    model: functional.FunctionalModel,
    weights: tuple[np.ndarray, ...],
    images: np.ndarray,
    truth: np.ndarray,
    labels: np.ndarray,
    variant: Variant = "all_logits",
) -> np.ndarray:
    """Mean squared difference of the logits, per picture.

    Runs on: the experiment. Sees: the truth.

    Args:
      model: The architecture.
      weights: The weights of the attacked round.
      images: float [b, h, w, c], reconstructed and matched to the truth.
      truth: float [b, h, w, c] in [0, 1].
      labels: int [b], the true classes; read by "label_columns" only.
      variant: Which definition. The peers report the mean over the batch.

    Returns:
      float64 [b], in squared logits.

    Raises:
      ValueError: If the pictures differ in shape, labels in number, or the variant is
        unknown.
    """
    validation.check_in("variant", variant, VARIANTS)
    if images.shape != truth.shape or len(labels) != len(truth):
        raise ValueError(
            "`images`, `truth` and `labels` must be of one batch, got shapes "
            f"{list(images.shape)} and {list(truth.shape)} and {len(labels)} labels."
        )
    difference = logits(model, weights, images) - logits(model, weights, truth)
    if variant == "label_columns":
        difference = difference[:, np.asarray(labels, np.int64)]
    return np.mean(np.square(difference), axis=1)
