"""The rehearsal: how well attacks do on messages that the attacker makes itself.

He plays clients with his own public examples, at the weights and under the mask of the
round, and attacks their messages. A mask that follows the victim's message says something
of it by itself, and would leave visible what is large in another one: there he plays a
mask that follows the played message. Where hidden entries leave many examples possible, a
search finds one that fits exactly and is wrong, while a learned guess fits less well
and is right: the visible error alone would choose the former.
"""

import dataclasses
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from attacks import envelope
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.knowledge import Attack
from federated import views
from selenc_tf.types import Seed

_LEAST = 1e-4
"""Of the largest entry: where a mask leaves zeros alone, what else it may have left."""

OFTEN = 16
"""Plays of what costs nothing: its distribution, where others have a few samples."""


class Score(NamedTuple):
    """How an attack did.

    Attributes:
      values: The modality's score of each batch; () if it failed on one.
      reason: Why, or "".
      seconds: Wall-clock time of all batches together.
    """

    values: tuple[float, ...]
    reason: str
    seconds: float

    @property
    def mean(self) -> float:
        """The mean over the batches; NaN if it failed on one."""
        return float(np.mean(self.values)) if self.values else float("nan")


class Play(NamedTuple):
    """One rehearsed batch.

    Attributes:
      view: What the server would see of it.
      knowledge: What the attacker would know.
      examples: The batch.
    """

    view: views.ServerView
    knowledge: knowledge_lib.AnyKnowledge
    examples: np.ndarray


def rehearse(
    attacks: Mapping[str, Attack],
    view: views.ServerView,
    knowledge: knowledge_lib.AnyKnowledge,
    seed: Seed,
    source: target_lib.Source,
    rehearsals: int,
    often: Collection[str] = (),
) -> Mapping[str, Score]:
    """Attacks messages of public examples with every method.

    Runs on: attacker. Sees: the weights, the mask, how large the largest visible entry is,
    and its public examples.

    Args:
      attacks: By name.
      view: For weights and mask.
      knowledge: With public examples; the first batches are the rehearsal's. In each
        the attacks have all of them but those that they are to find.
      seed: Of the attacks.
      source: What the attacks were built to attack: the played message takes its place.
      rehearsals: How many batches.
      often: Names of attacks that are rehearsed on up to `OFTEN` batches, those of the
        others first.

    Returns:
      Scores by name; empty where there are too few public examples.
    """
    public, size = knowledge.public_examples, knowledge.batch_size
    if (
        public is None
        or not rehearsals
        or len(public.examples) <= 2 * rehearsals * size
    ):
        return {}
    most = min(OFTEN, (len(public.examples) - 1) // (2 * size))
    count = max(rehearsals, most) if set(often) & set(attacks) else rehearsals
    plays = tuple(
        _play(view, knowledge, public, source, index) for index in range(count)
    )
    return {
        name: _score(attack, plays if name in often else plays[:rehearsals], seed)
        for name, attack in attacks.items()
    }


def _play(
    view: views.ServerView,
    knowledge: knowledge_lib.AnyKnowledge,
    public: knowledge_lib.PublicExamples,
    source: target_lib.Source,
    index: int,
) -> Play:
    """The round with a batch of public examples, which the attacker does not have."""
    size = knowledge.batch_size
    played = slice(index * size, (index + 1) * size)
    examples, labels = public.examples[played], public.labels[played]
    rest = knowledge_lib.PublicExamples(
        np.delete(public.examples, played, axis=0),
        np.delete(public.labels, played, axis=0),
    )
    seen, *earlier = (
        _view_of(one, knowledge, source, examples, labels)
        for one in (view, *knowledge.earlier)
    )
    known = dataclasses.replace(
        knowledge,
        public_examples=rest,
        labels=None if knowledge.labels is None else _told(labels),
        client_sizes=None,
        earlier=tuple(earlier),
    )
    return Play(seen, known, examples)


def _told(labels: np.ndarray) -> knowledge_lib.Labels:
    """Public labels as knowledge has them."""
    if labels.ndim == 1:
        return tuple(int(label) for label in labels)
    return tuple(tuple(float(one) for one in row) for row in labels)


def _view_of(
    view: views.ServerView,
    knowledge: knowledge_lib.AnyKnowledge,
    source: target_lib.Source,
    examples: np.ndarray,
    labels: np.ndarray,
) -> views.ServerView:
    """The view of a round in which these examples are behind what is attacked."""
    vector = knowledge.modality.message(
        knowledge.model, view.weights, examples, labels, knowledge.local_training
    ).numpy()
    if source == "aggregate":
        return view._replace(aggregate=vector)
    mask = mask_of(view.mask, view.messages[source].plain, vector)
    messages = list(view.messages)
    messages[source] = views.ClientMessage(vector[~mask], b"", 1.0)
    return view._replace(mask=mask, messages=tuple(messages), aggregate=None)


def mask_of(mask: np.ndarray, seen: np.ndarray, played: np.ndarray) -> np.ndarray:
    """The round's mask, or the one that would follow a played message.

    The latter where the largest entry that the victim's message shows is more like what
    the largest entries' mask leaves of the played message than like what the round's does.

    Args:
      mask: bool [n], of the round.
      seen: float32 [v], the victim's visible entries.
      played: float32 [n], the message that takes the victim's place.

    Returns:
      bool [n], with as many hidden entries.
    """
    hidden = int(np.count_nonzero(mask))
    if hidden in (0, len(mask)):
        return mask
    sizes = np.abs(played)
    own = np.zeros_like(mask)
    own[np.argsort(-sizes, kind="stable")[:hidden]] = True
    usual, least = float(np.max(sizes[~mask])), float(np.max(sizes[~own]))
    # In between by ratio; numbers that are none are not below it.
    between = np.sqrt(max(least, _LEAST * usual) * usual)
    return own if float(np.max(np.abs(seen))) < between else mask


def _score(attack: Attack, plays: tuple[Play, ...], seed: Seed) -> Score:
    began, values = time.monotonic(), []
    for play in plays:
        try:
            found = attack(play.view, play.knowledge, seed)
        except envelope.FAILURES as failure:
            reason = f"rehearsal: {envelope.text_of(failure)}"
            return Score((), reason, time.monotonic() - began)
        values.append(play.knowledge.modality.score(found.examples, play.examples))
    seconds = time.monotonic() - began
    if not np.all(np.isfinite(values)):
        return Score((), "rehearsal: its examples are not finite", seconds)
    return Score(tuple(values), "", seconds)
