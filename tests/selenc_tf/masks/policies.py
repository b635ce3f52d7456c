"""A small transformer's layout, and one of every policy for the conformance tests."""

import numpy as np

from selenc_tf import catalog, flatten
from selenc_tf.masks import parts, policy
from selenc_tf.masks.always_hide import always_hide
from selenc_tf.masks.block_aligned import block_aligned
from selenc_tf.masks.history import ema, fixed, fixed_after_first
from selenc_tf.masks.layer_list import layer_list
from selenc_tf.masks.per_layer import per_layer
from selenc_tf.masks.whole_units import columns, rows

SPEC = flatten.FlatSpec(
    (
        "words/embeddings",
        "attention/query/kernel",
        "attention/query/bias",
        "attention/attention_output/kernel",
        "norm/gamma",
        "norm/beta",
        "conv/kernel",
        "conv/bias",
        "head/kernel",
        "head/bias",
    ),
    (
        (7, 4),
        (4, 2, 2),
        (2, 2),
        (2, 2, 4),
        (4,),
        (4,),
        (3, 3, 2, 3),
        (3,),
        (4, 2),
        (2,),
    ),
)
N = 28 + 16 + 4 + 16 + 4 + 4 + 54 + 3 + 8 + 2

_ARGUMENTS = {
    "encryption_ratio": lambda ratio: ratio,
    "head_size": lambda ratio: 2,
    "policy": columns,
    "codes_per_block": lambda ratio: 10,
    "count_codes": lambda ratio: lambda hidden: 2,
}


def _from_catalogue(name):
    takes = catalog.POLICIES[name].takes
    return lambda ratio: catalog.policy(
        name, *(_ARGUMENTS[key](ratio) for key in takes)
    )


RATIO_BUILDERS = {
    **{
        name: _from_catalogue(name)
        for name, entry in catalog.POLICIES.items()
        if entry.takes != ("patterns",)
    },
    "always_hide": lambda ratio: always_hide(rows(ratio), parts.embeddings),
    "ema": lambda ratio: ema(policy.top_fraction(ratio), 0.5),
    "fixed_after_first": lambda ratio: fixed_after_first(per_layer(ratio)),
    "all together": lambda ratio: fixed_after_first(
        block_aligned(
            always_hide(ema(rows(ratio), 0.9), parts.classifier_head, parts.biases), 16
        )
    ),
}
"""Policies of a ratio."""

OTHERS = {
    "layer_list": layer_list(["bias$", "^head"]),
    "fixed": fixed(np.arange(N) % 3 == 0),
}
"""Policies that do not look at scores."""


def scores(seed, n=N):
    """Random scores with many ties."""
    return np.random.default_rng(seed).integers(0, 9, n).astype(np.float32)
