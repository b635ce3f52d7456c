"""From settings to the parts of selective encryption, with a key of this session."""

import contextlib
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import tensorflow_federated as tff

from experiments.study.settings import Settings, SettingsError
from federated import aggregators
from selenc_tf import catalog
from selenc_tf.lattice import key_store, parameters
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.masks import agreement


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
      scores: `() -> Lattice` for one sum of scores, with a key of its own.
      study: For single gradients, all under one key.
    """

    training: Callable[[], Lattice]
    scores: Callable[[], Lattice]
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
    # One for all trainings: every new one would be traced anew.
    cohort = _engine(settings, max(settings.training.num_clients, 2))
    with tempfile.TemporaryDirectory(prefix="selenc-keys-") as name:
        folder = pathlib.Path(name)

        def training() -> Lattice:
            target = folder / f"training-{next(numbers)}"
            keys = (
                key_store.create_series(target, cohort.cipher, rounds)
                if settings.encryption.key_rotation == "round"
                else key_store.create(target, cohort.cipher)
            )
            # Clients multiply by their weight, the number of their examples.
            weight = settings.training.examples
            return Lattice(cohort, settings.encryption.codec_bound * weight, keys)

        def scores() -> Lattice:
            target = folder / f"scores-{next(numbers)}"
            return Lattice(cohort, 1.0, key_store.create(target, cohort.cipher))

        attack = settings.attack
        clients = max(attack.aggregate_clients, attack.cohort_clients, 2)
        study = _engine(settings, clients)
        yield Lattices(
            training=training,
            scores=scores,
            study=Lattice(
                study,
                settings.encryption.codec_bound,
                key_store.create(folder / "study.key", study.cipher),
            ),
        )


def selective(
    settings: Settings,
    agreed: agreement.MaskAgreement,
    names: tuple[str, ...],
    lattice: Lattice,
) -> tff.aggregators.WeightedAggregationFactory:
    """The aggregator of a cohort under the settings' policy.

    Args:
      settings: Of the run.
      agreed: How the cohort comes to its masks.
      names: Of the model's tensors.
      lattice: What to encrypt with.

    Returns:
      The weighted mean, behind clipping if the bounds come from a clipping norm.
    """
    chosen = settings.encryption
    mean = aggregators.selective_encryption(
        aggregators.SelectiveEncryption(
            agreement=agreed,
            names=names,
            codec=lattice.engine.codec,
            scales=catalog.scales(chosen.scales, lattice.bound),
            cipher=lattice.engine.cipher,
            keys=lattice.keys,
            min_clients=settings.training.min_clients,
            damaged=aggregators.Damaged(chosen.damaged),
        )
    )
    if chosen.scales == "clipping_norm":
        return tff.aggregators.clipping_factory(chosen.codec_bound, mean)
    return mean


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


def codes_per_block(settings: Settings) -> int:
    """How many values a ciphertext block of a training holds."""
    return _engine(settings, max(settings.training.num_clients, 2)).codes_per_block


def _engine(settings: Settings, summands: int) -> Engine:
    bits = settings.encryption.codec_bits
    chosen = parameters.choose_parameters(summands, bits)
    return Engine(
        FixedPointCodec(bits, settings.encryption.codec_rounding),
        catalog.cipher(settings.encryption.cipher, chosen),
    )
