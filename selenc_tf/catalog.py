"""The methods by name, for flags and for the conformance tests.

A new method is one file, one line here and one row in `docs/methods.md`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from selenc_tf.distance import leverage
from selenc_tf.masks import parts, per_layer, policy, whole_units
from selenc_tf.masks.policy import MaskPolicy
from selenc_tf.models import (
    cnn,
    convnet64,
    fedavg_cnn,
    lenet,
    mlp,
    r_gap_cnn,
    resnet18,
)
from selenc_tf.models.functional import FunctionalModel
from selenc_tf.significance import (
    input_sensitivity,
    label_sensitivity,
    layerwise,
    magnitude,
    maskcrypt,
    per_sample_fisher,
    product,
    random,
    weight_magnitude,
)
from selenc_tf.significance.context import SignificanceFn


class Metric(NamedTuple):
    """A significance metric and what it needs.

    Attributes:
      score: The metric.
      needs: The fields of `ScoreContext` that it looks at, besides the seed and the
        layout. They decide who can score, and so how a cohort can agree on a mask.
    """

    score: SignificanceFn
    needs: frozenset[str]


_EXAMPLES = frozenset({"weights", "batch", "model"})

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "magnitude": Metric(magnitude.magnitude, frozenset({"gradient"})),
        "random": Metric(random.random, frozenset()),
        "weight_magnitude": Metric(
            weight_magnitude.weight_magnitude, frozenset({"weights"})
        ),
        "product": Metric(product.product, frozenset({"gradient", "weights"})),
        "maskcrypt": Metric(maskcrypt.maskcrypt, frozenset({"gradient", "update"})),
        "label_sensitivity": Metric(label_sensitivity.label_sensitivity, _EXAMPLES),
        "per_sample_fisher": Metric(per_sample_fisher.per_sample_fisher, _EXAMPLES),
        "input_sensitivity": Metric(input_sensitivity.input_sensitivity(), _EXAMPLES),
        "leverage": Metric(leverage.leverage, _EXAMPLES | {"gradient"}),
        "first_layers": Metric(layerwise.first_layers(), frozenset()),
        "last_layers": Metric(layerwise.last_layers(), frozenset()),
        "sensitivity_per_byte": Metric(
            layerwise.sensitivity_per_byte, frozenset({"gradient"})
        ),
    }
)
"""Significance metrics."""

POLICIES: Mapping[str, Callable[[float], MaskPolicy]] = MappingProxyType(
    {
        "top_fraction": policy.top_fraction,
        "per_layer": per_layer.per_layer,
        "rows": whole_units.rows,
        "columns": whole_units.columns,
        "tensors": whole_units.tensors,
    }
)
"""Mask policies that take an encryption ratio and nothing else."""

SELECTORS: Mapping[str, parts.Selector] = MappingProxyType(
    {
        "head": parts.classifier_head,
        "biases": parts.biases,
        "embeddings": parts.embeddings,
        "normalisation": parts.normalisation,
    }
)
"""What can be hidden whatever its scores."""

MODELS: Mapping[str, Callable[[tuple[int, int, int], int, int], FunctionalModel]] = (
    MappingProxyType(
        {
            "lenet": lenet.lenet,
            "small_cnn": cnn.small_cnn,
            "fedavg_cnn": fedavg_cnn.fedavg_cnn,
            "mlp": mlp.mlp,
            "r_gap_cnn": r_gap_cnn.r_gap_cnn,
            "convnet16": convnet64.convnet16,
            "convnet64": convnet64.convnet64,
            "resnet18": resnet18.resnet18,
        }
    )
)
"""Builders: `(input_shape, num_classes, seed) -> FunctionalModel`."""
