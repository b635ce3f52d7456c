"""From settings to the parts of selective encryption, with a key of this session."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import tensorflow_federated as tff

from experiments.study.flag_table import SettingsError
from experiments.study.settings import (
    AttackSettings,
    EncryptionSettings,
    TrainingSettings,
)
from federated import aggregators, counts
from selenc_tf import catalog
from selenc_tf.lattice import key_folders, key_store
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientKeys
from selenc_tf.masks import agreement


class Lattice(NamedTuple):
    """What encrypts for one purpose.

    Attributes:
      engine: Makes messages of vectors.
      bound: The codec's bound, or the first one where bounds adapt.
      keys: Names the key in the simulated clients' common key store, or says that
        there is none.
    """

    engine: Engine
    bound: float
    keys: KeySet | PerClientKeys


class Aggregation(NamedTuple):
    """How what clients send is summed.

    Attributes:
      updates: The weighted mean, maybe behind clipping.
      metrics: The encryption itself, which sums metrics too.
    """

    updates: tff.aggregators.WeightedAggregationFactory
    metrics: tff.aggregators.WeightedAggregationFactory


class Lattices(NamedTuple):
    """What a run encrypts with.

    Attributes:
      training: `() -> Lattice` for sums of weight times update; every call makes new
        keys, so that no two trainings share any.
      scores: `() -> Lattice` for one sum of scores, with a key of its own.
      study: For single gradients, all under one key: their server is blind.
      cohorts: For sums of a few gradients that the server learns.
    """

    training: Callable[[], Lattice]
    scores: Callable[[], Lattice]
    study: Lattice
    cohorts: Lattice


@contextlib.contextmanager
def fresh_keys(
    asked: EncryptionSettings,
    training: TrainingSettings,
    attack: AttackSettings,
    weight: int,
) -> Iterator[Lattices]:
    """Makes keys for this session and deletes them at its end.

    They lie in a new folder that only this user can read, outside the run's folder:
    nothing that a run leaves behind holds a key. Folders of sessions that were killed
    are deleted first.

    Args:
      asked: The cipher, its codec and how often keys change.
      training: How many clients add how much, and for how many rounds.
      attack: How many clients are attacked together.
      weight: The largest weight of a client in training (`training.weight`).

    Yields:
      The lattices.
    """
    numbers = itertools.count()
    # One for all trainings: every new one would be traced anew.
    cohort = engine(asked, training.num_clients)
    own = PerClientKeys()
    with key_folders.temporary() as folder:

        def for_training() -> Lattice:
            # Clients multiply by their weight before they encode.
            bound = asked.codec_bound * max(weight, 1)
            if asked.per_client:
                return Lattice(cohort, bound, own)
            target, cipher = folder / f"training-{next(numbers)}", cohort.keyed_cipher
            keys = (
                key_store.create_series(target, cipher, max(training.rounds, 1))
                if asked.key_rotation == "round"
                else key_store.create(target, cipher)
            )
            return Lattice(cohort, bound, keys)

        def for_scores() -> Lattice:
            # Without a shared key scores are never summed (`rules.py`).
            if asked.per_client:
                return Lattice(cohort, 1.0, own)
            target = folder / f"scores-{next(numbers)}"
            return Lattice(cohort, 1.0, key_store.create(target, cohort.keyed_cipher))

        together = max(attack.aggregate_clients, attack.cohort_clients)
        alone = engine(dataclasses.replace(asked, keys="shared"), together)
        study = Lattice(
            alone,
            asked.codec_bound,
            key_store.create(folder / "study.key", alone.keyed_cipher),
        )
        cohorts = study
        if asked.per_client:
            cohorts = Lattice(engine(asked, together), asked.codec_bound, own)
        yield Lattices(for_training, for_scores, study, cohorts)


def selective(
    asked: EncryptionSettings,
    min_clients: int,
    agreed: agreement.MaskAgreement,
    names: tuple[str, ...],
    lattice: Lattice,
) -> Aggregation:
    """The aggregators of a cohort.

    Args:
      asked: Where bounds come from, and what happens to damaged messages.
      min_clients: The smallest cohort whose sum clients decrypt.
      agreed: How the cohort comes to its masks.
      names: Of the model's tensors.
      lattice: What to encrypt with.

    Returns:
      The weighted mean, behind clipping if the bounds come from a clipping norm, and
      what metrics are summed by.
    """
    mean = aggregators.selective_encryption(
        aggregators.SelectiveEncryption(
            agreement=agreed,
            names=names,
            codec=lattice.engine.codec,
            scales=catalog.scales(asked.scales, lattice.bound),
            cipher=lattice.engine.cipher,
            keys=lattice.keys,
            min_clients=min_clients,
            damaged=aggregators.Damaged(asked.damaged),
        )
    )
    if asked.scales == "clipping_norm":
        clipped = tff.aggregators.clipping_factory(
            asked.codec_bound, mean, clipped_count_sum_factory=counts.uncounted()
        )
        return Aggregation(clipped, mean)
    return Aggregation(mean, mean)


def check_fits(asked: EncryptionSettings, cohorts: Mapping[str, int]) -> None:
    """Checks, before any work, that there are lattice parameters for all sums.

    Args:
      asked: The cipher and its codec.
      cohorts: How many values are added, by the flag that says so.

    Raises:
      SettingsError: If no ring holds sums of so many values of so many bits.
    """
    for flag, clients in cohorts.items():
        try:
            catalog.cipher_parameters(
                asked.cipher, max(clients, 2), asked.codec_bits, asked.per_client
            )
        except ValueError as error:
            raise SettingsError(
                f"`--codec_bits` = {asked.codec_bits} and `--{flag}` = {clients} do not go "
                f"together: {error}"
            ) from None


def engine(asked: EncryptionSettings, num_clients: int) -> Engine:
    """What encodes and encrypts sums of so many clients' values."""
    build = catalog.per_client_cipher if asked.per_client else catalog.cipher
    return Engine(
        FixedPointCodec(asked.codec_bits, asked.codec_rounding),
        build(asked.cipher, max(num_clients, 2), asked.codec_bits),
    )
