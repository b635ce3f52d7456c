"""What a run is asked to do, checked as a whole before any work."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any

from selenc_tf import validation


class SettingsError(ValueError):
    """One or more flags cannot be used; the message lists all of them."""


ROUNDINGS = ("nearest", "stochastic")
KEY_ROTATIONS = ("run", "round")
DAMAGED = ("drop", "fail")
MASK_HISTORIES = ("none", "ema", "first")


@dataclasses.dataclass(frozen=True)
class EncryptionSettings:
    """What is hidden, and how it is encoded.

    Attributes:
      metrics: Names in `selenc_tf.catalog.METRICS`.
      ratios: Encryption ratios, each in [0, 1].
      codec_bits: Bits of an encrypted value.
      codec_bound: The largest magnitude of an entry of a gradient or update that is
        encoded faithfully.
      codec_rounding: "nearest" or "stochastic".
      scales: A name in `selenc_tf.catalog.SCALES`.
      cipher: A name in `selenc_tf.catalog.CIPHERS`.
      key_rotation: "run" or "round".
      damaged: "drop" or "fail".
      mask_policy: A name in `selenc_tf.catalog.POLICIES`.
      mask_agreement: "auto" or a name in `experiments.study.masking.PROTOCOLS`.
      mask_layers: Regular expressions of tensors' names, for the policy that takes them.
      always_hide: Groups of tensors that are hidden whatever their scores.
      mask_history: What masks remember of earlier rounds.
      head_size: Columns of an attention head, for the policy that hides heads.
    """

    metrics: tuple[str, ...]
    ratios: tuple[float, ...]
    codec_bits: int
    codec_bound: float
    codec_rounding: str
    scales: str
    cipher: str
    key_rotation: str
    damaged: str
    mask_policy: str
    mask_agreement: str
    mask_layers: tuple[str, ...]
    always_hide: tuple[str, ...]
    mask_history: str
    head_size: int


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """Federated training, which gives overhead, loss and accuracy.

    Attributes:
      rounds: Rounds of each training; 0 trains nothing.
      num_clients: k.
      min_clients: The smallest cohort whose sum clients decrypt.
      examples: Of one client.
      batch_size: Of a client's local steps.
      local_epochs: Passes over the client's examples in a round.
      learning_rate: Of the clients' Adam.
      test_examples: For the accuracy.
    """

    rounds: int
    num_clients: int
    min_clients: int
    examples: int
    batch_size: int
    local_epochs: int
    learning_rate: float
    test_examples: int


@dataclasses.dataclass(frozen=True)
class AttackSettings:
    """The attacks, which give leakage.

    Attributes:
      methods: Names in `attacks.catalog.ATTACKS`.
      attackers: "naive" or "mask_aware".
      num_images: Number of attacked batches of one client.
      batch_size: Pictures behind an attacked gradient.
      labels_known: Whether labels are declared as the attacker's knowledge.
      restarts: Starts of each attack.
      max_iterations: Of each attack, over all starts, in its own unit of work.
      max_seconds: Wall-clock limit of each attack; 0 = none.
      aggregate_clients: Clients behind an attacked aggregate; 0 attacks none.
      cohort_clients: Clients of a jointly attacked cohort.
      public_images: Pictures that attackers have from elsewhere, at most.
      rounds: Rounds in which a client sends the same pictures.
      local_epochs: Passes of local training behind an attacked message.
      local_batch_size: Pictures of a local step; 0 = all.
      local_learning_rate: Of the local steps.
    """

    methods: tuple[str, ...]
    attackers: tuple[str, ...]
    num_images: int
    batch_size: int
    labels_known: bool
    restarts: int
    max_iterations: int
    max_seconds: float
    aggregate_clients: int
    cohort_clients: int
    public_images: int
    rounds: int
    local_epochs: int
    local_batch_size: int
    local_learning_rate: float


@dataclasses.dataclass(frozen=True)
class Settings:
    """A whole run.

    Attributes:
      model: A name in `selenc_tf.catalog.MODELS`.
      dataset: A name in `experiments.data.catalog.CATALOG`.
      seed: Of weights, data, masks and attacks (never of keys and noise).
      encryption: What is hidden.
      training: What is trained.
      attack: What is attacked.
    """

    model: str
    dataset: str
    seed: int
    encryption: EncryptionSettings
    training: TrainingSettings
    attack: AttackSettings


@dataclasses.dataclass(frozen=True)
class Choices:
    """The names that the catalogues offer.

    Attributes:
      models: Of models.
      datasets: Of data sets.
      metrics: Of significance metrics.
      methods: Of attacks.
      attackers: Of attackers.
      scales: Of policies for the codec's bounds.
      ciphers: Of ciphers.
      mask_policies: Of mask policies.
      mask_agreements: Of protocols to agree on a mask.
      always_hidden: Of parts that can be hidden whatever their scores.
    """

    models: Collection[str]
    datasets: Collection[str]
    metrics: Collection[str]
    methods: Collection[str]
    attackers: Collection[str]
    scales: Collection[str]
    ciphers: Collection[str]
    mask_policies: Collection[str]
    mask_agreements: Collection[str]
    always_hidden: Collection[str]


def check(settings: Settings, choices: Choices) -> None:
    """Checks all settings and reports everything that is wrong at once.

    Args:
      settings: The settings.
      choices: What the catalogues offer.

    Raises:
      SettingsError: With one line for each flag that has to change.
    """
    problems = tuple(_problems(settings, choices))
    if problems:
        raise SettingsError(
            "The flags cannot be used:\n" + "\n".join(f"  {line}" for line in problems)
        )


def _problems(settings: Settings, choices: Choices) -> Iterator[str]:
    encryption, training, attack = (
        settings.encryption,
        settings.training,
        settings.attack,
    )
    yield from _failure(validation.check_in, "--model", settings.model, choices.models)
    yield from _failure(
        validation.check_in, "--dataset", settings.dataset, choices.datasets
    )
    yield from _failure(validation.check_at_least, "--seed", settings.seed, 0)
    for flag, values, allowed in (
        ("--significance", encryption.metrics, choices.metrics),
        ("--attacks", attack.methods, choices.methods),
        ("--attackers", attack.attackers, choices.attackers),
    ):
        if not values:
            yield f"`{flag}` must name at least one of: {', '.join(allowed)}."
        yield from _duplicates(flag, values)
        for value in values:
            yield from _failure(validation.check_in, flag, value, allowed)
    yield from _duplicates("--always_hide", encryption.always_hide)
    for name in encryption.always_hide:
        yield from _failure(
            validation.check_in, "--always_hide", name, choices.always_hidden
        )
    if not encryption.ratios:
        yield "`--encryption_ratios` must name at least one ratio, such as 0.1."
    yield from _duplicates("--encryption_ratios", encryption.ratios)
    for ratio in encryption.ratios:
        yield from _failure(validation.check_fraction, "--encryption_ratios", ratio)
    yield from _failure(
        validation.check_in, "--codec_bits", encryption.codec_bits, range(4, 33)
    )
    yield from _failure(
        validation.check_positive, "--codec_bound", encryption.codec_bound
    )
    for flag, name, offered in (
        ("--codec_rounding", encryption.codec_rounding, ROUNDINGS),
        ("--scales", encryption.scales, choices.scales),
        ("--cipher", encryption.cipher, choices.ciphers),
        ("--key_rotation", encryption.key_rotation, KEY_ROTATIONS),
        ("--damaged_messages", encryption.damaged, DAMAGED),
        ("--mask_policy", encryption.mask_policy, choices.mask_policies),
        ("--mask_agreement", encryption.mask_agreement, choices.mask_agreements),
        ("--mask_history", encryption.mask_history, MASK_HISTORIES),
    ):
        yield from _failure(validation.check_in, flag, name, offered)
    at_least: tuple[tuple[str, float, float], ...] = (
        ("--rounds", training.rounds, 0),
        ("--min_clients", training.min_clients, 2),
        ("--client_examples", training.examples, 1),
        ("--client_batch_size", training.batch_size, 1),
        ("--local_epochs", training.local_epochs, 1),
        ("--test_examples", training.test_examples, 1),
        ("--num_images", attack.num_images, 0),
        ("--attack_batch_size", attack.batch_size, 1),
        ("--attack_restarts", attack.restarts, 1),
        ("--attack_iterations", attack.max_iterations, 1),
        ("--attack_seconds", attack.max_seconds, 0),
        ("--aggregate_clients", attack.aggregate_clients, 0),
        ("--cohort_clients", attack.cohort_clients, 0),
        ("--attack_public_images", attack.public_images, 0),
        ("--attack_rounds", attack.rounds, 1),
        ("--attack_local_epochs", attack.local_epochs, 1),
        ("--attack_local_batch_size", attack.local_batch_size, 0),
    )
    for flag, number, least in at_least:
        yield from _failure(validation.check_at_least, flag, number, least)
    for flag, rate in (
        ("--client_learning_rate", training.learning_rate),
        ("--attack_local_learning_rate", attack.local_learning_rate),
    ):
        yield from _failure(validation.check_positive, flag, rate)
    if training.rounds > 0 and training.num_clients < max(2, training.min_clients):
        yield (
            f"`--num_clients` must be at least `--min_clients` = "
            f"{max(2, training.min_clients)}, got {training.num_clients}: the published"
            " sum of so few clients gives them away. Take more clients, or `--rounds=0`."
        )
    if 0 < attack.aggregate_clients < max(2, training.min_clients):
        yield (
            "`--aggregate_clients` must be 0 (attack no aggregate) or at least "
            f"`--min_clients` = {max(2, training.min_clients)}, got "
            f"{attack.aggregate_clients}: clients refuse to decrypt a smaller sum."
        )
    if training.rounds == 0 and attack.num_images == 0 and not attack.aggregate_clients:
        yield (
            "`--rounds`, `--num_images` and `--aggregate_clients` are all 0: there is "
            "nothing to do. Set one of them."
        )


def _failure(rule: Callable[..., Any], name: str, *arguments: Any) -> Iterator[str]:
    try:
        rule(name, *arguments)
    except ValueError as error:
        yield str(error)


def _duplicates(flag: str, values: Collection[Any]) -> Iterator[str]:
    comparable = [value for value in values if value == value and value is not math.nan]
    if len(set(comparable)) < len(comparable):
        listed = ",".join(str(value) for value in values)
        yield f"`{flag}` must not name anything twice, got {listed}."
