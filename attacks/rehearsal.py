"""The rehearsal: how well attacks do on messages that the attacker makes itself.

He plays clients with his own public pictures, at the weights and under the mask of the
round, and attacks their messages. Where hidden entries leave many pictures possible, a
search finds one that fits exactly and is wrong, while a learned guess fits less well
and is right: the visible error alone would choose the former.
"""

import dataclasses
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize

from attacks import envelope
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.knowledge import Attack
from attacks.matching import matching
from federated import views
from selenc_tf.models import local_steps
from selenc_tf.types import Seed

OFTEN = 16
"""Plays of what costs nothing: its distribution, where others have a few samples."""


class Score(NamedTuple):
    """How an attack did.

    Attributes:
      values: The PSNR in dB of each batch, at most 120; () if it failed on one.
      reason: Why, or "".
      seconds: Wall-clock time of all batches together.
    """

    values: tuple[float, ...]
    reason: str
    seconds: float

    @property
    def psnr_db(self) -> float:
        """The mean over the batches; NaN if it failed on one."""
        return float(np.mean(self.values)) if self.values else float("nan")


class Play(NamedTuple):
    """One rehearsed batch.

    Attributes:
      view: What the server would see of it.
      knowledge: What the attacker would know.
      images: float32 [b, h, w, c], the pictures.
    """

    view: views.ServerView
    knowledge: knowledge_lib.Knowledge
    images: np.ndarray


def rehearse(
    attacks: Mapping[str, Attack],
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    seed: Seed,
    source: target_lib.Source,
    rehearsals: int,
    often: Collection[str] = (),
) -> Mapping[str, Score]:
    """Attacks messages of public pictures with every method.

    Runs on: attacker. Sees: the weights, the mask and its public pictures.

    Args:
      attacks: By name.
      view: For weights and mask.
      knowledge: With public pictures; the first batches are the rehearsal's. In each
        the attacks have all pictures but those that they are to find.
      seed: Of the attacks.
      source: What the attacks were built to attack: the played message takes its place.
      rehearsals: How many batches.
      often: Names of attacks that are rehearsed on up to `OFTEN` batches, those of the
        others first.

    Returns:
      Scores by name; empty where there are too few public pictures.
    """
    public, size = knowledge.public_pictures, knowledge.batch_size
    if public is None or not rehearsals or len(public.images) <= 2 * rehearsals * size:
        return {}
    most = min(OFTEN, (len(public.images) - 1) // (2 * size))
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
    knowledge: knowledge_lib.Knowledge,
    public: knowledge_lib.PublicPictures,
    source: target_lib.Source,
    index: int,
) -> Play:
    """The round with a batch of public pictures, which the attacker does not have."""
    size = knowledge.batch_size
    played = slice(index * size, (index + 1) * size)
    images, labels = public.images[played], public.labels[played]
    rest = knowledge_lib.PublicPictures(
        np.delete(public.images, played, axis=0),
        np.delete(public.labels, played, axis=0),
    )
    seen, *earlier = (
        _view_of(one, knowledge, source, images, labels)
        for one in (view, *knowledge.earlier)
    )
    known = dataclasses.replace(
        knowledge,
        public_pictures=rest,
        labels=None if knowledge.labels is None else _told(labels),
        client_sizes=None,
        earlier=tuple(earlier),
    )
    return Play(seen, known, images)


def _told(labels: np.ndarray) -> knowledge_lib.Labels:
    """Public labels as knowledge has them."""
    if labels.ndim == 1:
        return tuple(int(label) for label in labels)
    return tuple(tuple(float(one) for one in row) for row in labels)


def _view_of(
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    source: target_lib.Source,
    images: np.ndarray,
    labels: np.ndarray,
) -> views.ServerView:
    """The view of a round in which these pictures are behind what is attacked."""
    vector = local_steps.update(
        knowledge.model,
        tuple(tf.constant(tensor) for tensor in view.weights),
        tf.constant(images),
        matching.as_targets(knowledge.model, labels, tf.float32),
        knowledge.local_training,
    ).numpy()
    if source == "aggregate":
        return view._replace(aggregate=vector)
    messages = list(view.messages)
    messages[source] = views.ClientMessage(vector[~view.mask], b"", 1.0)
    return view._replace(messages=tuple(messages), aggregate=None)


def _score(attack: Attack, plays: tuple[Play, ...], seed: Seed) -> Score:
    began, values = time.monotonic(), []
    for play in plays:
        try:
            found = attack(play.view, play.knowledge, seed)
        except envelope.FAILURES as failure:
            reason = f"rehearsal: {envelope.text_of(failure)}"
            return Score((), reason, time.monotonic() - began)
        values.append(_psnr_db(found.images, play.images))
    seconds = time.monotonic() - began
    if not np.all(np.isfinite(values)):
        return Score((), "rehearsal: its pictures are not finite", seconds)
    return Score(tuple(values), "", seconds)


def _psnr_db(found: np.ndarray, images: np.ndarray) -> float:
    """The mean over a batch, in the order that fits best; NaN if not finite."""
    if not np.all(np.isfinite(found)):
        return float("nan")
    squares = np.square(found[:, np.newaxis] - images[np.newaxis])
    errors = np.mean(squares.reshape(len(found), len(images), -1), axis=2)
    best = errors[optimize.linear_sum_assignment(errors)]
    # At most 120 dB, so that one exact picture does not decide alone.
    return float(np.mean(-10 * np.log10(np.maximum(best, 1e-12))))
