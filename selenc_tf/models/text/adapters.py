"""Language models of which adapters of the attention alone are trained (LoRA).

(Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang, Chen, "LoRA: Low-Rank Adaptation of Large
Language Models", ICLR 2022, section 4.) A projection's kernel W stays as it is, and A B is
added to it: A [d, heads, rank], B [rank, head size], as KerasHub adapts kernels of three
axes.
"""

import math

import tensorflow as tf

from selenc_tf.models.text import token_model
from selenc_tf.models.text.token_model import TokenModel

_DOWN, _UP = "lora_kernel_a", "lora_kernel_b"


def with_adapters(model: TokenModel, rank: int, seed: int) -> TokenModel:
    """Adapts the queries and values of all blocks, and freezes everything else.

    Tables, kernels, biases, normalisations and the head are no weights of the result:
    they are not trained, not sent, and so neither masked nor seen by a server.

    Args:
      model: Its `source` is changed, and it must not be used any more.
      rank: Of each head's adapter, in [1, d].
      seed: Of A, uniform in +-1/sqrt(d); B is zero at the start, so that the model
        computes what it did, and A has the gradient zero.

    Returns:
      The model of the adapters.

    Raises:
      ValueError: If the rank is out of range, or the model has no such projections.
    """
    width = model.structure.width
    if not 1 <= rank <= width:
        raise ValueError(
            f"`rank` must be in [1, {width}], the numbers of an embedding of "
            f"{model.name!r}, got {rank}."
        )
    source = model.source
    source.backbone.enable_lora(rank)
    for variable in source.trainable_variables:
        # KerasHub would train the biases of adapted layers, and a head, too.
        variable.trainable = variable.name in (_DOWN, _UP)
    trained = source.trainable_variables
    if not trained:
        raise ValueError(
            "`model` must have query and value projections that can be adapted, but "
            f"{model.name!r} has none."
        )
    limit = 1 / math.sqrt(width)
    for place, variable in enumerate(trained):
        if variable.name == _DOWN:
            drawn = tf.random.stateless_uniform(
                variable.shape, seed=(seed, place), minval=-limit, maxval=limit
            )
            variable.assign(drawn)
    return token_model.from_keras(
        source,
        model.length,
        f"{model.weights_from}; adapters of rank {rank} of queries and values, the only "
        f"weights that are trained, random, seed {seed}",
        model.special,
        name=model.name,
        seed=model.seed,
    )
