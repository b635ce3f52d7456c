"""What is believed of a picture beforehand, by frequency."""

import numpy as np

from attacks import knowledge as knowledge_lib
from selenc_tf.distance import dct_prior
from selenc_tf.distance import prior as prior_lib


def dct_prior_of(knowledge: knowledge_lib.Knowledge) -> prior_lib.GaussianPrior:
    """A variance for every frequency, of public pictures or of photographs in general.

    Args:
      knowledge: For the model, and its public pictures, if any.

    Returns:
      The prior of one picture: `dct_prior.dct` of the public pictures where there are any
      that are not of one value, else `dct_prior.photographs`.

    Raises:
      DoesNotApply: If the model takes no pictures.
    """
    knowledge_lib.check_pictures(knowledge.model, "a prior by frequency")
    public = knowledge.public_examples
    if public is not None and np.ptp(public.examples) > 0:
        return dct_prior.dct(public.examples)
    height, width, channels = knowledge.model.input_shape
    return dct_prior.photographs((height, width, channels))
