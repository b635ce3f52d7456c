"""From settings to the parts of selective encryption, with a key of this session."""

import contextlib
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import tensorflow_federated as tff

from experiments.settings import Settings, SettingsError
from federated import aggregators
from selenc_tf import catalog
from selenc_tf.lattice import (
    identity_cipher,
    key_store,
    parameters,
    scales,
    shell_cipher,
)
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.scales import ScalePolicy
from selenc_tf.masks import agreement, policy

CIPHERS: Mapping[str, Callable[[parameters.Parameters], Cipher]] = MappingProxyType(
    {
        "tf_shell_bgv": shell_cipher.build_shell_cipher,
        "identity_INSECURE": lambda chosen: (
            identity_cipher.build_identity_cipher_INSECURE(
                chosen.num_slots, chosen.plaintext_modulus, chosen.max_summands
            )
        ),
    }
)
"""What `--cipher` offers."""

SCALES: Mapping[str, Callable[[float], ScalePolicy]] = MappingProxyType(
    {
        "public_bound": scales.public_bound,
        "previous_aggregate": scales.previous_aggregate,
        "clipping_norm": scales.clipping_norm,
    }
)
"""What `--scales` offers: policies by their bound, which covers weight times value."""


class Lattice(NamedTuple):
    """What encrypts for one purpose.

    Attributes:
      engine: Makes messages of vectors.
      bound: The codec's bound, or the first one where bounds adapt.
      keys: Names the key in the simulated clients' common key store.
    """

    engine: Engine
    bound: float
    keys: KeySet


class Lattices(NamedTuple):
    """What a run encrypts with.

    Attributes:
      training: `() -> Lattice` for sums of weight times update; every call makes new
        keys, so that no two trainings share any.
      study: For single gradients, all under one key.
    """

    training: Callable[[], Lattice]
    study: Lattice


@contextlib.contextmanager
def fresh_keys(settings: Settings) -> Iterator[Lattices]:
    """Makes keys for this session and deletes them at its end.

    They lie in a new folder that only this user can read, outside the run's folder:
    nothing that a run leaves behind holds a key.

    Args:
      settings: Of the run.

    Yields:
      The lattices.
    """
    rounds = max(settings.training.rounds, 1)
    numbers = itertools.count()
    with tempfile.TemporaryDirectory(prefix="selenc-keys-") as name:
        folder = pathlib.Path(name)

        def training() -> Lattice:
            engine = _engine(settings, max(settings.training.num_clients, 2))
            target = folder / f"training-{next(numbers)}"
            keys = (
                key_store.create_series(target, engine.cipher, rounds)
                if settings.encryption.key_rotation == "round"
                else key_store.create(target, engine.cipher)
            )
            # Clients multiply by their weight, the number of their examples.
            weight = settings.training.examples
            return Lattice(engine, settings.encryption.codec_bound * weight, keys)

        study = _engine(settings, max(settings.attack.aggregate_clients, 2))
        yield Lattices(
            training=training,
            study=Lattice(
                study,
                settings.encryption.codec_bound,
                key_store.create(folder / "study.key", study.cipher),
            ),
        )


def selective(
    settings: Settings, metric: str, ratio: float, lattice: Lattice
) -> tff.aggregators.WeightedAggregationFactory:
    """The aggregator of a cohort under the settings' policy.

    Args:
      settings: Of the run.
      metric: A name in `catalog.METRICS`.
      ratio: The encryption ratio.
      lattice: What to encrypt with.

    Returns:
      The weighted mean, behind clipping if the bounds come from a clipping norm.
    """
    chosen = settings.encryption
    mean = aggregators.selective_encryption(
        aggregators.SelectiveEncryption(
            agreement=cohort_agreement(settings, metric, ratio),
            codec=lattice.engine.codec,
            scales=SCALES[chosen.scales](lattice.bound),
            cipher=lattice.engine.cipher,
            keys=lattice.keys,
            min_clients=settings.training.min_clients,
            damaged=aggregators.Damaged(chosen.damaged),
        )
    )
    if chosen.scales == "clipping_norm":
        return tff.aggregators.clipping_factory(chosen.codec_bound, mean)
    return mean


def cohort_agreement(
    settings: Settings, metric: str, ratio: float
) -> agreement.MaskAgreement:
    """How a cohort agrees on a mask under a metric.

    Args:
      settings: For the seed.
      metric: A name in `catalog.METRICS`.
      ratio: The encryption ratio.

    Returns:
      A public seed where the metric does not look at gradients, else the previous
      aggregate with the first round encrypted completely.
    """
    entry = catalog.METRICS[metric]
    agree = (
        agreement.previous_aggregate if entry.uses_gradient else agreement.public_seed
    )
    return agree(entry.score, policy.top_fraction(ratio), (settings.seed, 0))


def lone_mask(
    settings: Settings, metric: str, ratio: float
) -> agreement.MaskAgreement | agreement.OwnMask:
    """How a cohort of one, whose server stays blind, comes to its mask.

    Args:
      settings: For the seed.
      metric: A name in `catalog.METRICS`.
      ratio: The encryption ratio.

    Returns:
      A public seed, or the client's own choice by its own gradient.
    """
    entry = catalog.METRICS[metric]
    source = agreement.OwnMask if entry.uses_gradient else agreement.public_seed
    return source(entry.score, policy.top_fraction(ratio), (settings.seed, 0))


def agreement_name(source: agreement.MaskAgreement | agreement.OwnMask) -> str:
    """What results call it."""
    return "own" if isinstance(source, agreement.OwnMask) else source.name


def check_fits(settings: Settings) -> None:
    """Checks, before any work, that there are lattice parameters for the settings.

    Args:
      settings: Of the run, checked otherwise.

    Raises:
      SettingsError: If no ring holds sums of so many values of so many bits.
    """
    bits = settings.encryption.codec_bits
    for flag, clients in (
        ("--num_clients", settings.training.num_clients),
        ("--aggregate_clients", settings.attack.aggregate_clients),
    ):
        try:
            parameters.choose_parameters(max(clients, 2), bits)
        except ValueError as error:
            raise SettingsError(
                f"`--codec_bits` = {bits} and `{flag}` = {clients} do not go "
                f"together: {error}"
            ) from None


def _engine(settings: Settings, summands: int) -> Engine:
    bits = settings.encryption.codec_bits
    chosen = parameters.choose_parameters(summands, bits)
    return Engine(
        FixedPointCodec(bits, settings.encryption.codec_rounding),
        CIPHERS[settings.encryption.cipher](chosen),
    )
