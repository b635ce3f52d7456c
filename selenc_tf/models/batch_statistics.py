"""Statistics of batch normalisation taken from public pictures."""

import keras
import numpy as np
import tensorflow as tf

from selenc_tf.models import functional


def calibrate(
    model: functional.FunctionalModel, images: np.ndarray
) -> functional.FunctionalModel:
    """The model with the statistics that its initial weights give on some pictures.

    A model that nobody has trained has the statistics (0, 1), which are those of no
    data. What a server would broadcast after a warm-up on public data are these.

    Runs on: server. Sees: public pictures only.

    Args:
      model: A model whose layers can be rebuilt from their configuration.
      images: float32 [b, *input_shape]. One batch, normalised as in training: every
        layer sees what the layers before it make of the batch's own statistics.

    Returns:
      A model with the same weights; the given one is left as it is.

    Raises:
      ValueError: If the pictures do not have the model's shape.

    Example:
      Layers that see pictures of mean 0.4 get the running mean 0.4.
    """
    if images.ndim != 1 + len(model.input_shape) or not len(images):
        raise ValueError(
            f"`images` must be [b, *{model.input_shape}] with b >= 1, got shape "
            f"{list(images.shape)}."
        )
    source = model.keras_model
    # Without memory of earlier statistics one pass is all it takes.
    config = _without_momentum(source.get_config())
    measuring = type(source).from_config(config)
    measuring.set_weights(source.get_weights())
    measuring(tf.constant(images), training=True)
    result = keras.models.clone_model(source)
    result.set_weights(measuring.get_weights())
    return functional.rebound(model, result)._replace(
        initial_weights=model.initial_weights
    )


def _without_momentum(config: object) -> object:
    if isinstance(config, dict):
        return {
            key: 0.0 if key == "momentum" else _without_momentum(value)
            for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(_without_momentum(item) for item in config)
    return config
