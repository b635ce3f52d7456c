"""What the flags of a run must be together, checked before any work."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from attacks import words
from attacks.catalog import ATTACKS, Entry
from experiments.study import flag_table, protocols, text_rules
from experiments.study.settings import (
    CLIENTS,
    DATASET,
    DIRICHLET,
    LABEL,
    AttackSettings,
    Federated,
    Settings,
    Subject,
)
from selenc_tf import catalog

S = TypeVar("S", bound=Settings)

LAYER_LIST, HEADS, SCORE_SUM = "layer_list", "heads", "score_sum"


def check(settings: S, *more: Callable[[S], Iterable[str]]) -> None:
    """Checks all flags, alone and together, and reports what is wrong at once.

    Args:
      settings: As read.
      *more: Rules of a command that has more flags.

    Raises:
      SettingsError: With one line for each thing that has to change.
    """
    flag_table.check(
        settings,
        subject,
        text_rules.subject,
        text_rules.attacks,
        text_rules.metrics,
        federation,
        _cohorts,
        _masks,
        _keys,
        _attacks,
        *more,
    )


def subject(asked: Subject) -> Iterator[str]:
    """What the flags of model and data must be together."""
    if asked.data:
        for name, given in (
            ("dataset", asked.dataset != DATASET),
            ("data_dir", bool(asked.data_dir)),
        ):
            if given:
                yield f"`--{name}` must not be given with `--data`. Leave one of them out."
    else:
        for name, given in (
            ("label_column", asked.label_column != LABEL),
            ("client_column", bool(asked.client_column)),
        ):
            if given:
                yield f"`--{name}` is of `--data`, which is not given. Give it, too."
    if asked.model in catalog.MODELS:
        for name, given in (
            ("loss", bool(asked.loss)),
            ("training_mode", not asked.training_mode),
        ):
            if given:
                yield (
                    f"`--{name}` is for a model of your own (package.module:function); "
                    f"{asked.model!r} has its own. Leave it out."
                )
    bounds = asked.data_range
    if bounds and (
        len(bounds) != 2
        or not all(math.isfinite(bound) for bound in bounds)
        or bounds[0] >= bounds[-1]
    ):
        yield (
            "`--data_range` must be two finite numbers, the lower first, got "
            f"{','.join(f'{bound:g}' for bound in bounds)}. For example "
            "--data_range=0,255."
        )
    elif bounds and asked.model in catalog.MODELS and not asked.data:
        yield (
            f"`--data_range` is for own data or an own model; {asked.model!r} takes "
            "pictures in [0, 1]. Leave it out."
        )


def federation(settings: Federated) -> Iterator[str]:
    """What the flags of clients and their training must be together."""
    asked = settings.training
    if asked.weights_after_rounds and asked.num_clients < 1:
        yield (
            "`--num_clients` must be at least 1 with `--weights_after_rounds`, got "
            f"{asked.num_clients}."
        )
    if asked.split == CLIENTS and not settings.data:
        yield (
            "`--split=clients` needs `--data` whose examples say whose they are. Take "
            "`--split=iid` or `--split=dirichlet`."
        )
    if asked.split != DIRICHLET:
        yield from _idle(
            "dirichlet_alpha",
            asked,
            "dirichlet_alpha",
            "`--split=dirichlet`",
            f"with `--split={asked.split}`",
        )


def _idle(
    flag: str, asked: object, field: str, needs: str, otherwise: str
) -> Iterator[str]:
    """Refuses a flag that was set although nothing asks for it."""
    if getattr(asked, field) != getattr(type(asked), field):
        yield (
            f"`--{flag}` is for {needs}, and would do nothing {otherwise}. Leave it out."
        )


def _cohorts(settings: Settings) -> Iterator[str]:
    training, attack = settings.training, settings.attack
    least = max(2, training.min_clients)
    if training.rounds > 0 and training.num_clients < least:
        yield (
            f"`--num_clients` must be at least `--min_clients` = {least}, got "
            f"{training.num_clients}: the published sum of so few clients gives them "
            "away. Take more clients, or `--rounds=0`."
        )
    if 0 < attack.aggregate_clients < least:
        yield (
            "`--aggregate_clients` must be 0 (attack no aggregate) or at least "
            f"`--min_clients` = {least}, got {attack.aggregate_clients}: clients refuse "
            "to decrypt a smaller sum."
        )
    if training.rounds == 0 and attack.num_images == 0 and not attack.aggregate_clients:
        yield (
            "`--rounds`, `--num_images` and `--aggregate_clients` are all 0: there is "
            "nothing to do. Set one of them."
        )


def _masks(settings: Settings) -> Iterator[str]:
    asked = settings.masks
    for metric in asked.metrics:
        if metric in catalog.METRICS and asked.agreement in protocols.PROTOCOLS:
            allowed = protocols.fitting(metric)
            if asked.agreement not in allowed:
                needs = ", ".join(sorted(catalog.METRICS[metric].needs))
                yield (
                    f"`--mask_agreement={asked.agreement}` cannot be used with "
                    f"`--significance={metric}`, which looks at {needs}. Take one of "
                    f"{', '.join(allowed)}."
                )
    if asked.policy == LAYER_LIST:
        if not asked.layers:
            yield (
                "`--mask_layers` must name what `--mask_policy=layer_list` hides, got "
                "nothing. For example --mask_layers='^conv,bias$'."
            )
        if len(asked.ratios) > 1:
            yield (
                "`--encryption_ratios` must be given as a single number with "
                "`--mask_policy=layer_list`, whichever: the list decides how much is "
                "hidden. For example --encryption_ratios=1."
            )
    for pattern in asked.layers:
        try:
            re.compile(pattern)
        except re.error as error:
            yield (
                f"`--mask_layers` must be regular expressions, got {pattern!r}: {error}."
            )
    with_policy = f"with `--mask_policy={asked.policy}`"
    if asked.policy != LAYER_LIST:
        yield from _idle(
            "mask_layers", asked, "layers", "`--mask_policy=layer_list`", with_policy
        )
    if asked.policy != HEADS:
        yield from _idle(
            "head_size", asked, "head_size", "`--mask_policy=heads`", with_policy
        )
    if asked.policy == HEADS and asked.head_size < 1:
        yield (
            "`--head_size` must be at least 1 with `--mask_policy=heads`, got "
            f"{asked.head_size}: the columns of one attention head."
        )


def _keys(settings: Settings) -> Iterator[str]:
    asked, masks = settings.encryption, settings.masks
    if not asked.per_client:
        return
    able = [name for name, entry in catalog.CIPHERS.items() if entry.per_client]
    if asked.cipher not in able:
        yield (
            f"`--keys=per_client` needs a cipher without a shared key, --cipher="
            f"{' or '.join(able)}, got `--cipher={asked.cipher}`."
        )
    if asked.key_rotation != type(asked).key_rotation:
        yield (
            f"`--key_rotation={asked.key_rotation}` would do nothing with "
            "`--keys=per_client`: every message has a secret of its own. Leave it out."
        )
    for metric in masks.metrics:
        known = metric in catalog.METRICS
        if known and protocols.taken(masks.agreement, metric) == SCORE_SUM:
            others = [one for one in protocols.fitting(metric) if one != SCORE_SUM]
            yield (
                f"`--significance={metric}` takes `--mask_agreement={SCORE_SUM}`, whose "
                "sum clients open by a key they share, and `--keys=per_client` has none. "
                f"Take `--mask_agreement={others[0]}`."
            )


def _attacks(settings: Settings) -> Iterator[str]:
    asked, least = settings.attack, max(2, settings.training.min_clients)
    chosen = [ATTACKS[method] for method in asked.methods if method in ATTACKS]
    for method in asked.methods:
        if method in ATTACKS:
            yield from _attack(asked, method, ATTACKS[method], least)
    if not any(entry.sees == "cohort" for entry in chosen):
        yield from _idle(
            "cohort_clients",
            asked,
            "cohort_clients",
            "`--attacks=cohort`",
            "with the others",
        )
    if not any(entry.takes_rounds for entry in chosen):
        yield from _idle(
            "attack_rounds",
            asked,
            "rounds",
            "`--attacks=multi_round` and `--attacks=strongest`",
            "with the others",
        )
    elif asked.rounds > 1 and not asked.public_images:
        yield (
            f"`--attack_rounds={asked.rounds}` moves the weights between rounds by a step "
            "on other clients' examples, which are those of `--attack_public_images`, but "
            "that is 0. Set it to 16, for example."
        )
    if asked.is_one_gradient:
        yield from _idle(
            "attack_local_learning_rate",
            asked,
            "local_learning_rate",
            "messages of several local steps",
            "without `--attack_local_epochs` or `--attack_local_batch_size`",
        )


def _attack(
    asked: AttackSettings, method: str, entry: Entry, least: int
) -> Iterator[str]:
    if entry.one_example and asked.batch_size > 1:
        yield (
            f"`--attacks={method}` is for one example, so it needs "
            f"`--attack_batch_size=1`, got {asked.batch_size}. Use "
            f"`--attacks={'dlg_text' if entry.inputs == words.TOKENS else 'dlg'}`."
        )
    if asked.attackers and not set(entry.modes).intersection(asked.attackers):
        yield (
            f"`--attacks={method}` needs `--attackers=mask_aware`: it has no form that "
            "takes hidden entries for zeros."
        )
    if "public_examples" in entry.needs and not asked.public_images:
        yield (
            f"`--attacks={method}` needs examples from elsewhere, but "
            "`--attack_public_images` is 0. Set it to 500, for example."
        )
    if entry.sees == "rounds" and asked.rounds < 2:
        yield (
            f"`--attacks={method}` compares several rounds, so it needs "
            f"`--attack_rounds` of at least 2, got {asked.rounds}."
        )
    if entry.sees == "cohort" and asked.cohort_clients < least:
        yield (
            f"`--attacks={method}` needs `--cohort_clients` of at least {least}, got "
            f"{asked.cohort_clients}: clients refuse to decrypt a smaller sum."
        )
    if not asked.is_one_gradient and not entry.local_training:
        # No attack on sentences takes several steps.
        other = "" if entry.inputs == words.TOKENS else ", or use `--attacks=dlg`"
        yield (
            f"`--attacks={method}` is for messages that are one gradient: leave out "
            f"`--attack_local_epochs` and `--attack_local_batch_size`{other}."
        )
