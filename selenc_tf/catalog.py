"""The methods by name, for flags and for the conformance tests.

A table names what builds or computes a method as "module:attribute". Nothing is imported
until one of the functions below is asked for it, so that a refusal of a misspelt name
costs no TensorFlow. A new method is one file, one line here and one row in
`docs/methods.md`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from selenc_tf import validation

if TYPE_CHECKING:
    from selenc_tf.lattice.cipher import Cipher
    from selenc_tf.lattice.per_client import PerClientCipher
    from selenc_tf.lattice.scales import ScalePolicy
    from selenc_tf.masks.parts import Selector
    from selenc_tf.masks.policy import MaskPolicy
    from selenc_tf.models.functional import FunctionalModel
    from selenc_tf.significance.context import SignificanceFn


class Metric(NamedTuple):
    """A significance metric and what it needs.

    Attributes:
      score: Where the metric, a `SignificanceFn`, is.
      needs: The fields of `ScoreContext` that it looks at, besides the seed and the
        layout. They decide who can score, and so how a cohort can agree on a mask.
    """

    score: str
    needs: frozenset[str]


class Policy(NamedTuple):
    """A mask policy and what it is made of.

    Attributes:
      build: Where its builder is.
      takes: The builder's arguments, in its order.
    """

    build: str
    takes: tuple[str, ...] = ("encryption_ratio",)


class CipherEntry(NamedTuple):
    """A cipher and what it is made of.

    Attributes:
      choose: Where the function `(num_summands, quantisation_bits) -> parameters` is.
      build: Where its builder `parameters -> Cipher` is.
      per_client: The same without a shared key, whose builder gives a `PerClientCipher`;
        None if there is no such form.
    """

    choose: str
    build: str
    per_client: CipherEntry | None = None


_METRICS = "selenc_tf.significance"
_EXAMPLES = frozenset({"weights", "batch", "model"})

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "magnitude": Metric(f"{_METRICS}.magnitude:magnitude", frozenset({"gradient"})),
        "random": Metric(f"{_METRICS}.random:random", frozenset()),
        "weight_magnitude": Metric(
            f"{_METRICS}.weight_magnitude:weight_magnitude", frozenset({"weights"})
        ),
        "product": Metric(
            f"{_METRICS}.product:product", frozenset({"gradient", "weights"})
        ),
        "maskcrypt": Metric(
            f"{_METRICS}.maskcrypt:maskcrypt", frozenset({"gradient", "update"})
        ),
        "label_sensitivity": Metric(
            f"{_METRICS}.label_sensitivity:label_sensitivity", _EXAMPLES
        ),
        "per_sample_fisher": Metric(
            f"{_METRICS}.per_sample_fisher:per_sample_fisher", _EXAMPLES
        ),
        "input_sensitivity": Metric(
            f"{_METRICS}.input_sensitivity:input_sensitivity", _EXAMPLES
        ),
        "leverage": Metric(
            "selenc_tf.distance.leverage:leverage", _EXAMPLES | {"gradient"}
        ),
        "first_layers": Metric(f"{_METRICS}.layerwise:first_layers", frozenset()),
        "last_layers": Metric(f"{_METRICS}.layerwise:last_layers", frozenset()),
        "sensitivity_per_byte": Metric(
            f"{_METRICS}.layerwise:sensitivity_per_byte", frozenset({"gradient"})
        ),
    }
)
"""Significance metrics."""

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "top_fraction": Policy("selenc_tf.masks.policy:top_fraction"),
        "per_layer": Policy("selenc_tf.masks.per_layer:per_layer"),
        "rows": Policy("selenc_tf.masks.whole_units:rows"),
        "columns": Policy("selenc_tf.masks.whole_units:columns"),
        "tensors": Policy("selenc_tf.masks.whole_units:tensors"),
        "layer_list": Policy("selenc_tf.masks.layer_list:layer_list", ("patterns",)),
        "heads": Policy(
            "selenc_tf.masks.whole_units:heads", ("encryption_ratio", "head_size")
        ),
        "block_aligned": Policy(
            "selenc_tf.masks.block_aligned:block_aligned",
            ("policy", "codes_per_block", "count_codes"),
        ),
    }
)
"""Mask policies."""

SELECTORS: Mapping[str, str] = MappingProxyType(
    {
        "head": "selenc_tf.masks.parts:classifier_head",
        "biases": "selenc_tf.masks.parts:biases",
        "embeddings": "selenc_tf.masks.parts:embeddings",
        "normalisation": "selenc_tf.masks.parts:normalisation",
        "projections": "selenc_tf.masks.parts:projections",
        "pooler": "selenc_tf.masks.parts:pooler",
    }
)
"""What can be hidden whatever its scores."""

MODELS: Mapping[str, str] = MappingProxyType(
    {
        "lenet": "selenc_tf.models.lenet:lenet",
        "small_cnn": "selenc_tf.models.cnn:small_cnn",
        "fedavg_cnn": "selenc_tf.models.fedavg_cnn:fedavg_cnn",
        "mlp": "selenc_tf.models.mlp:mlp",
        "r_gap_cnn": "selenc_tf.models.r_gap_cnn:r_gap_cnn",
        "convnet16": "selenc_tf.models.convnet64:convnet16",
        "convnet64": "selenc_tf.models.convnet64:convnet64",
        "resnet18": "selenc_tf.models.resnet18:resnet18",
    }
)
"""Builders: `(input_shape, num_classes, seed) -> FunctionalModel`."""

SCALES: Mapping[str, str] = MappingProxyType(
    {
        "public_bound": "selenc_tf.lattice.scales:public_bound",
        "previous_aggregate": "selenc_tf.lattice.scales:previous_aggregate",
        "clipping_norm": "selenc_tf.lattice.scales:clipping_norm",
    }
)
"""Builders of scale policies by their bound, which covers weight times value."""

CIPHERS: Mapping[str, CipherEntry] = MappingProxyType(
    {
        "tf_shell_bgv": CipherEntry(
            "selenc_tf.lattice.parameters:choose_parameters",
            "selenc_tf.lattice.shell_cipher:build_shell_cipher",
        ),
        "device_rlwe": CipherEntry(
            "selenc_tf.lattice.device_cipher:of_sums",
            "selenc_tf.lattice.device_cipher:build_device_cipher",
            CipherEntry(
                "selenc_tf.lattice.device_per_client:of_sums",
                "selenc_tf.lattice.device_per_client:build_per_client_cipher",
            ),
        ),
        "additive_pad": CipherEntry(
            "selenc_tf.lattice.device.pad_parameters:choose_parameters",
            "selenc_tf.lattice.pad_cipher:build_pad_cipher",
        ),
        "identity_INSECURE": CipherEntry(
            "selenc_tf.lattice.parameters:choose_parameters",
            "selenc_tf.lattice.identity_cipher:of_sizes_INSECURE",
        ),
    }
)
"""Ciphers."""


def metric(name: str) -> SignificanceFn:
    """Returns a metric of `METRICS`.

    Raises:
      ValueError: If there is none of that name.
    """
    return _resolved(_entry("metric", name, METRICS).score)


def policy(name: str, *arguments: Any) -> MaskPolicy:
    """Builds a policy of `POLICIES`.

    Args:
      name: Of the policy.
      *arguments: What its entry `takes`: for most the encryption ratio alone.

    Returns:
      The policy.

    Raises:
      ValueError: If there is none of that name, or an argument is out of range.
    """
    return _resolved(_entry("policy", name, POLICIES).build)(*arguments)


def selector(name: str) -> Selector:
    """Returns a selector of `SELECTORS`.

    Raises:
      ValueError: If there is none of that name.
    """
    return _resolved(_entry("selector", name, SELECTORS))


def model(
    name: str, input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> FunctionalModel:
    """Builds a model of `MODELS`.

    Args:
      name: Of the model.
      input_shape: Height, width, channels.
      num_classes: At least 2.
      seed: Of the initial weights.

    Returns:
      The model.

    Raises:
      ValueError: If there is none of that name, or it cannot have this shape.
    """
    return _resolved(_entry("model", name, MODELS))(input_shape, num_classes, seed)


def scales(name: str, bound: float) -> ScalePolicy:
    """Builds a scale policy of `SCALES`.

    Args:
      name: Of the policy.
      bound: > 0, on weight times value; the first one where bounds adapt.

    Returns:
      The policy.

    Raises:
      ValueError: If there is none of that name, or the bound is out of range.
    """
    return _resolved(_entry("scales", name, SCALES))(bound)


def cipher_parameters(
    name: str, num_summands: int, quantisation_bits: int, per_client: bool = False
) -> Any:
    """The cheapest parameters of a cipher of `CIPHERS`.

    Args:
      name: Of the cipher.
      num_summands: How many messages are added at most.
      quantisation_bits: Of a value.
      per_client: Whether there is no shared key.

    Returns:
      What the cipher is built of.

    Raises:
      ValueError: If there is none of that name or form, or no parameters hold such sums.
    """
    entry = _cipher_entry(name, per_client)
    return _resolved(entry.choose)(num_summands, quantisation_bits)


def cipher(name: str, num_summands: int, quantisation_bits: int) -> Cipher:
    """Builds a cipher of `CIPHERS`, with the parameters of `cipher_parameters`.

    Args:
      name: Of the cipher.
      num_summands: How many messages are added at most.
      quantisation_bits: Of a value.

    Returns:
      The cipher.

    Raises:
      ValueError: If there is none of that name, or no parameters hold such sums.
      RuntimeError: If it does not run on this machine.
    """
    chosen = cipher_parameters(name, num_summands, quantisation_bits)
    return _resolved(CIPHERS[name].build)(chosen)


def per_client_cipher(
    name: str, num_summands: int, quantisation_bits: int
) -> PerClientCipher:
    """Builds a cipher of `CIPHERS` without a shared key.

    Args:
      name: Of the cipher.
      num_summands: How many messages are added at most.
      quantisation_bits: Of a value.

    Returns:
      The cipher.

    Raises:
      ValueError: If there is none of that name or none without a shared key, or no
        parameters hold such sums.
      RuntimeError: If it does not run on this machine.
    """
    chosen = cipher_parameters(name, num_summands, quantisation_bits, per_client=True)
    return _resolved(_cipher_entry(name, per_client=True).build)(chosen)


def _cipher_entry(name: str, per_client: bool) -> CipherEntry:
    entry: CipherEntry = _entry("cipher", name, CIPHERS)
    if not per_client:
        return entry
    if entry.per_client is None:
        have = ", ".join(one for one, entry in CIPHERS.items() if entry.per_client)
        raise ValueError(
            f"`cipher` must work without a shared key where every client has secrets of "
            f"its own, as {have} does, got {name!r}."
        )
    return entry.per_client


def _entry(kind: str, name: str, table: Mapping[str, Any]) -> Any:
    return table[validation.check_in(kind, name, table)]


def _resolved(place: str) -> Any:
    return pkgutil.resolve_name(place)
