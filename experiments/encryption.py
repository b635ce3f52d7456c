"""From settings to the parts of selective encryption, with a key of this session."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from experiments.settings import Settings, SettingsError
from selenc_tf import catalog
from selenc_tf.lattice import key_store, parameters, shell_cipher
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.masks import agreement, policy


class Lattice(NamedTuple):
    """Codec, cipher and key of one purpose.

    Attributes:
      codec: Makes integers of entries.
      cipher: Encrypts them.
      key_path: The simulated clients' common key store.
    """

    codec: FixedPointCodec
    cipher: Cipher
    key_path: str


class Lattices(NamedTuple):
    """What a run encrypts with.

    Attributes:
      training: For sums of weight times update.
      study: For single gradients.
    """

    training: Lattice
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
    with tempfile.TemporaryDirectory(prefix="selenc-keys-") as folder:
        yield Lattices(
            # Clients multiply by their weight, the number of their examples.
            training=_lattice(
                settings,
                settings.encryption.codec_bound * settings.training.examples,
                max(settings.training.num_clients, 2),
                pathlib.Path(folder) / "training.key",
            ),
            study=_lattice(
                settings,
                settings.encryption.codec_bound,
                max(settings.attack.aggregate_clients, 2),
                pathlib.Path(folder) / "study.key",
            ),
        )


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
    codec = FixedPointCodec(1.0, settings.encryption.codec_bits)
    for flag, clients in (
        ("--num_clients", settings.training.num_clients),
        ("--aggregate_clients", settings.attack.aggregate_clients),
    ):
        try:
            parameters.choose_parameters(max(clients, 2), codec.max_abs_code)
        except ValueError as error:
            raise SettingsError(
                f"`--codec_bits` = {codec.bits} and `{flag}` = {clients} do not go "
                f"together: {error}"
            ) from None


def _lattice(
    settings: Settings, bound: float, summands: int, path: pathlib.Path
) -> Lattice:
    codec = FixedPointCodec(bound=bound, bits=settings.encryption.codec_bits)
    cipher = shell_cipher.build_shell_cipher(
        parameters.choose_parameters(summands, codec.max_abs_code)
    )
    return Lattice(codec, cipher, str(key_store.create(path, cipher)))
