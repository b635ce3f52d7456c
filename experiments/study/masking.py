"""From settings to masks: who scores, by which policy, and how a cohort agrees."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from experiments.study import encryption
from experiments.study.settings import Settings, SettingsError
from federated import mask_rounds
from selenc_tf import catalog, flatten
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.masks import agreement, always_hide, history
from selenc_tf.masks.policy import MaskPolicy
from selenc_tf.models.functional import FunctionalModel
from selenc_tf.significance.context import ScoreContext

AUTO = "auto"
LAYER_LIST, HEADS, BLOCK_ALIGNED = "layer_list", "heads", "block_aligned"

_DECAY = 0.9


class Protocol(NamedTuple):
    """A way to agree on a mask.

    Attributes:
      allows: The fields of `ScoreContext` that a metric may need under it.
      is_round: Whether clients take part, in a round before the training.
    """

    allows: frozenset[str]
    is_round: bool


_EVERYTHING = frozenset(ScoreContext._fields)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "public_seed": Protocol(frozenset(), is_round=False),
        "public_weights": Protocol(frozenset({"weights"}), is_round=False),
        "previous_aggregate": Protocol(frozenset({"gradient"}), is_round=False),
        "score_sum": Protocol(_EVERYTHING, is_round=True),
        "interleaved_lists": Protocol(_EVERYTHING, is_round=True),
        "union": Protocol(_EVERYTHING, is_round=True),
    }
)
"""What `--mask_agreement` offers; `auto` takes the first that a metric allows."""


def protocol_name(settings: Settings, metric: str) -> str:
    """The protocol by which a cohort agrees under a metric.

    Args:
      settings: Of the run.
      metric: A name in `catalog.METRICS`.

    Returns:
      A name in `PROTOCOLS`.

    Raises:
      SettingsError: If the metric needs what the chosen protocol cannot look at.
    """
    needs, wanted = catalog.METRICS[metric].needs, settings.encryption.mask_agreement
    fitting = [name for name, offer in PROTOCOLS.items() if needs <= offer.allows]
    if wanted == AUTO:
        return fitting[0]
    if wanted not in fitting:
        raise SettingsError(
            f"`--mask_agreement={wanted}` cannot be used with `--significance={metric}`,"
            f" which looks at {', '.join(sorted(needs))}. Take one of "
            f"{', '.join(fitting)}."
        )
    return wanted


def policy_of(settings: Settings, ratio: float) -> MaskPolicy:
    """The mask policy of a run.

    Args:
      settings: Of the run.
      ratio: The encryption ratio.

    Returns:
      The policy.
    """
    asked = settings.encryption
    chosen = (
        always_hide.always_hide(
            _scored(settings, ratio),
            *(catalog.selector(name) for name in asked.always_hide),
        )
        if asked.always_hide and ratio > 0
        else _scored(settings, ratio)
    )
    if asked.mask_history == "ema":
        return history.ema(chosen, _DECAY)
    if asked.mask_history == "first":
        return history.fixed_after_first(chosen)
    return chosen


def describe(settings: Settings) -> str:
    """What the masks of a run have in common, in one sentence for people.

    Args:
      settings: Of the run.

    Returns:
      The sentence, for example "Masks: policy rows; always hidden: head, biases."
    """
    asked = settings.encryption
    parts = [f"policy {asked.mask_policy}"]
    if asked.mask_policy == LAYER_LIST:
        parts[0] += f" ({', '.join(asked.mask_layers)})"
    if asked.always_hide:
        parts.append(f"always hidden: {', '.join(asked.always_hide)}")
    if asked.mask_history == "ema":
        parts.append(f"scores averaged over rounds, decay {_DECAY:g}")
    if asked.mask_history == "first":
        parts.append("the first round's mask is kept")
    return f"Masks: {'; '.join(parts)}."


def _scored(settings: Settings, ratio: float) -> MaskPolicy:
    """The policy without what is always hidden and without memory."""
    asked = settings.encryption
    if asked.mask_policy == LAYER_LIST:
        return catalog.policy(LAYER_LIST, asked.mask_layers)
    if asked.mask_policy == HEADS:
        return catalog.policy(HEADS, ratio, asked.head_size)
    if asked.mask_policy == BLOCK_ALIGNED:
        inner = catalog.policy("top_fraction", ratio)
        return catalog.policy(
            BLOCK_ALIGNED, inner, encryption.codes_per_block(settings)
        )
    return catalog.policy(asked.mask_policy, ratio)


def public_agreement(
    settings: Settings, metric: str, ratio: float, model: FunctionalModel
) -> agreement.MaskAgreement:
    """An agreement that takes no round of its own.

    Args:
      settings: Of the run.
      metric: A name in `catalog.METRICS` that such a protocol allows.
      ratio: The encryption ratio.
      model: What is trained.

    Returns:
      The agreement.
    """
    score, chosen = catalog.metric(metric), policy_of(settings, ratio)
    name = protocol_name(settings, metric)
    if name == "public_seed":
        return agreement.public_seed(score, chosen, _seed(settings))
    if name == "previous_aggregate":
        return agreement.previous_aggregate(score, chosen, _seed(settings))
    context = ScoreContext(
        gradient=tf.zeros([model.spec.size]),
        seed=tf.constant(_seed(settings), tf.int32),
        spec=model.spec,
        weights=flatten.flatten(model.initial_weights),
    )
    mask, _ = chosen.update(model.spec, score(context), chosen.init(model.spec))
    reveals = "nothing: the mask is a function of the broadcast weights"
    return agreement.fixed(name, reveals, mask.numpy())


def mask_round(
    settings: Settings,
    metric: str,
    ratio: float,
    model: FunctionalModel,
    engine: Engine,
    keys: KeySet,
) -> mask_rounds.MaskRound:
    """The round in which clients agree on a mask.

    Args:
      settings: Of the run.
      metric: A name in `catalog.METRICS`.
      ratio: The encryption ratio.
      model: What is trained.
      engine: Encrypts scores.
      keys: Of this round alone.

    Returns:
      The round.
    """
    scoring = mask_rounds.Scoring(
        model,
        catalog.metric(metric),
        policy_of(settings, ratio),
        _seed(settings),
    )
    name = protocol_name(settings, metric)
    if name == "score_sum":
        return mask_rounds.build_score_sum(
            scoring, engine, keys, settings.training.min_clients
        )
    if name == "interleaved_lists":
        return mask_rounds.build_interleaved_lists(scoring)
    return mask_rounds.build_union(scoring)


def fixed(made_by: mask_rounds.MaskRound, mask: np.ndarray) -> agreement.MaskAgreement:
    """The agreement that a mask round came to."""
    return agreement.fixed(made_by.name, made_by.reveals, mask)


def lone_mask(
    settings: Settings, metric: str, ratio: float
) -> agreement.MaskAgreement | agreement.OwnMask:
    """How a cohort of one, whose server stays blind, comes to its mask.

    Args:
      settings: Of the run.
      metric: A name in `catalog.METRICS`.
      ratio: The encryption ratio.

    Returns:
      A public seed where the metric needs no more, else the client's own choice.
    """
    needs = catalog.METRICS[metric].needs
    source = agreement.OwnMask if needs else agreement.public_seed
    return source(catalog.metric(metric), policy_of(settings, ratio), _seed(settings))


def agreement_name(source: agreement.MaskAgreement | agreement.OwnMask) -> str:
    """What results call it."""
    return "own" if isinstance(source, agreement.OwnMask) else source.name


def check(settings: Settings) -> None:
    """Checks, before any work, that metrics, policies and protocols go together.

    Args:
      settings: Of the run, checked otherwise.

    Raises:
      SettingsError: If they do not.
    """
    asked = settings.encryption
    for metric in asked.metrics:
        protocol_name(settings, metric)
    if asked.mask_policy == LAYER_LIST:
        if not asked.mask_layers:
            raise SettingsError(
                "`--mask_layers` must name what `--mask_policy=layer_list` hides, got "
                "nothing. For example --mask_layers='^conv,bias$'."
            )
        if len(asked.ratios) > 1:
            raise SettingsError(
                "`--encryption_ratios` must be a single number, which is not used, with "
                "`--mask_policy=layer_list`: the list decides how much is hidden."
            )
    if asked.mask_policy == HEADS and asked.head_size < 1:
        raise SettingsError(
            "`--head_size` must be at least 1 with `--mask_policy=heads`, got "
            f"{asked.head_size}: the columns of one attention head."
        )


def check_model(settings: Settings, model: FunctionalModel) -> None:
    """Checks, before any work, that the policy finds in the model what it hides.

    Args:
      settings: Of the run.
      model: What is trained.

    Raises:
      SettingsError: If a pattern matches no tensor, or there is no such part.
    """
    for ratio in settings.encryption.ratios:
        try:
            policy_of(settings, ratio).num_hidden(model.spec)
        except ValueError as error:
            raise SettingsError(
                f"`--mask_policy`, `--mask_layers` or `--always_hide` does not fit "
                f"`--model={settings.model}`: {error}"
            ) from None


def _seed(settings: Settings) -> tuple[int, int]:
    return settings.seed, 0
