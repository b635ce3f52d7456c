"""From settings to masks: who scores, by which policy, and how a cohort agrees."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from experiments.study import encryption, protocols, rules
from experiments.study.flag_table import SettingsError
from experiments.study.layouts import Layout
from experiments.study.settings import MaskSettings, Settings
from federated import mask_rounds
from selenc_tf import catalog, flatten
from selenc_tf.flatten import FlatSpec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientKeys
from selenc_tf.masks import agreement, always_hide, history
from selenc_tf.masks.policy import MaskPolicy
from selenc_tf.models.any_model import AnyModel
from selenc_tf.significance.context import ScoreContext

_DECAY = 0.9


class Masking(NamedTuple):
    """How a run hides.

    Attributes:
      asked: The policy and its options.
      seed: Of random scores, two numbers.
      engine: Of a training, whose messages carry a weight: what its blocks hold.
    """

    asked: MaskSettings
    seed: tuple[int, int]
    engine: Engine


def of_run(settings: Settings) -> Masking:
    """How the run of these settings hides."""
    clients = settings.training.num_clients
    return Masking(
        settings.masks,
        (settings.seed, 0),
        encryption.engine(settings.encryption, clients).with_number(),
    )


def policy_of(masking: Masking, ratio: float) -> MaskPolicy:
    """The mask policy at a ratio.

    Args:
      masking: Of the run.
      ratio: The encryption ratio.

    Returns:
      The policy.
    """
    asked, chosen = masking.asked, _scored(masking, ratio)
    if asked.always_hide and ratio > 0:
        selectors = [catalog.selector(name) for name in asked.always_hide]
        chosen = always_hide.always_hide(chosen, *selectors)
    if asked.history == "ema":
        return history.ema(chosen, _DECAY)
    if asked.history == "first":
        return history.fixed_after_first(chosen)
    return chosen


def describe(asked: MaskSettings) -> str:
    """What the masks of a run have in common, in one sentence for people.

    Args:
      asked: Of the run.

    Returns:
      The sentence, for example "Masks: policy rows; always hidden: head, biases."
    """
    parts = [f"policy {asked.policy}"]
    if asked.policy == rules.LAYER_LIST:
        parts[0] += f" ({', '.join(asked.layers)})"
    if asked.always_hide:
        parts.append(f"always hidden: {', '.join(asked.always_hide)}")
    if asked.history == "ema":
        parts.append(f"scores averaged over rounds, decay {_DECAY:g}")
    if asked.history == "first":
        parts.append("the first round's mask is kept")
    return f"Masks: {'; '.join(parts)}."


def _scored(masking: Masking, ratio: float) -> MaskPolicy:
    """The policy without what is always hidden and without memory."""
    name = masking.asked.policy
    offered = {
        "encryption_ratio": lambda: ratio,
        "patterns": lambda: masking.asked.layers,
        "head_size": lambda: masking.asked.head_size,
        "policy": lambda: catalog.policy("top_fraction", ratio),
        "codes_per_block": lambda: masking.engine.codes_per_block,
        "count_codes": lambda: masking.engine.count_codes,
    }
    return catalog.policy(
        name, *(offered[taken]() for taken in catalog.POLICIES[name].takes)
    )


def public_agreement(
    masking: Masking,
    metric: str,
    ratio: float,
    model: AnyModel,
    layout: Layout | None = None,
) -> agreement.MaskAgreement:
    """An agreement that takes no round of its own.

    Args:
      masking: Of the run.
      metric: A name in `catalog.METRICS` that such a protocol allows.
      ratio: The encryption ratio.
      model: What is trained.
      layout: Of what is sent; the model's gradient by default.

    Returns:
      The agreement.
    """
    score, chosen = catalog.metric(metric), policy_of(masking, ratio)
    name = protocols.taken(masking.asked.agreement, metric)
    if name == "public_seed":
        return agreement.public_seed(score, chosen, masking.seed)
    if name == "previous_aggregate":
        return agreement.previous_aggregate(score, chosen, masking.seed)
    context = ScoreContext(
        seed=tf.constant(masking.seed, tf.int32),
        spec=model.spec,
        weights=flatten.flatten(model.initial_weights),
    )
    mask, _ = chosen.update(model.spec, score(context), chosen.init(model.spec))
    reveals = "nothing: the mask is a function of the broadcast weights"
    found = mask.numpy()
    return agreement.fixed(name, reveals, layout.widened(found) if layout else found)


def mask_round(
    masking: Masking,
    min_clients: int,
    metric: str,
    ratio: float,
    model: AnyModel,
    engine: Engine,
    keys: KeySet | PerClientKeys,
) -> mask_rounds.MaskRound:
    """The round in which clients agree on a mask.

    Args:
      masking: Of the run.
      min_clients: The smallest cohort whose sum clients decrypt.
      metric: A name in `catalog.METRICS`.
      ratio: The encryption ratio.
      model: What is trained.
      engine: Encrypts scores.
      keys: Of this round alone.

    Returns:
      The round.
    """
    scoring = mask_rounds.Scoring(
        model, catalog.metric(metric), policy_of(masking, ratio), masking.seed
    )
    name = protocols.taken(masking.asked.agreement, metric)
    if name == "score_sum":
        return mask_rounds.build_score_sum(scoring, engine, keys, min_clients)
    if name == "interleaved_lists":
        return mask_rounds.build_interleaved_lists(scoring)
    return mask_rounds.build_union(scoring)


def fixed(made_by: mask_rounds.MaskRound, mask: np.ndarray) -> agreement.MaskAgreement:
    """The agreement that a mask round came to."""
    return agreement.fixed(made_by.name, made_by.reveals, mask)


def lone_mask(
    masking: Masking, metric: str, ratio: float
) -> agreement.MaskAgreement | agreement.OwnMask:
    """How a cohort of one, whose server stays blind, comes to its mask.

    By a public seed where the metric needs no more, else by the client's own choice.
    """
    alone = protocols.alone(metric) == protocols.OWN
    source = agreement.OwnMask if alone else agreement.public_seed
    return source(catalog.metric(metric), policy_of(masking, ratio), masking.seed)


def check_fits(masking: Masking, spec: FlatSpec, model: str) -> None:
    """Checks, before any work, that the policy finds in the model what it hides.

    Args:
      masking: Of the run.
      spec: Of the model's tensors.
      model: Its name, for the message.

    Raises:
      SettingsError: If a pattern matches no tensor, or there is no such part.
    """
    for ratio in masking.asked.ratios:
        try:
            policy_of(masking, ratio).num_hidden(spec)
        except ValueError as error:
            raise SettingsError(
                f"`--mask_policy`, `--mask_layers` or `--always_hide` does not fit "
                f"`--model={model}`: {error}"
            ) from None
