"""The rehearsal: how well attacks do on messages that the attacker makes itself.

He plays clients with his own public pictures, at the weights and under the mask of the
round, and attacks their messages. Where hidden entries leave many pictures possible, a
search finds one that fits exactly and is wrong, while a learned guess fits less well
and is right: the visible error alone would choose the former.
"""

import dataclasses
import time
from collections.abc import Mapping
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


class Score(NamedTuple):
    """How an attack did.

    Attributes:
      psnr_db: Mean over the batches, at most 120; NaN if it failed on one.
      reason: Why, or "".
      seconds: Wall-clock time of all batches together.
    """

    psnr_db: float
    reason: str
    seconds: float


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
) -> Mapping[str, Score]:
    """Attacks messages of public pictures with every method.

    Runs on: attacker. Sees: the weights, the mask and its public pictures.

    Args:
      attacks: By name.
      view: For weights and mask.
      knowledge: With public pictures; the first batches are the rehearsal's, and the
        attacks get the others.
      seed: Of the attacks.
      source: What the attacks were built to attack: the played message takes its place.
      rehearsals: How many batches.

    Returns:
      Scores by name; empty where there are too few public pictures.
    """
    plays = _plays(view, knowledge, source, rehearsals)
    return {
        name: _score(attack, plays, seed) for name, attack in attacks.items() if plays
    }


def _plays(
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    source: target_lib.Source,
    rehearsals: int,
) -> tuple[Play, ...]:
    public, size = knowledge.public_pictures, knowledge.batch_size
    taken = rehearsals * size
    if public is None or len(public.images) <= 2 * taken:
        return ()
    rest = knowledge_lib.PublicPictures(public.images[taken:], public.labels[taken:])
    plays = []
    for begin in range(0, taken, size):
        images = public.images[begin : begin + size]
        labels = public.labels[begin : begin + size]
        told = None if knowledge.labels is None else _told(labels)
        seen, *earlier = (
            _view_of(one, knowledge, source, images, labels)
            for one in (view, *knowledge.earlier)
        )
        known = dataclasses.replace(
            knowledge,
            public_pictures=rest,
            labels=told,
            client_sizes=None,
            earlier=tuple(earlier),
        )
        plays.append(Play(seen, known, images))
    return tuple(plays)


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
            return Score(float("nan"), reason, time.monotonic() - began)
        values.append(_psnr_db(found.images, play.images))
    mean = float(np.mean(values))
    seconds = time.monotonic() - began
    reason = "" if np.isfinite(mean) else "rehearsal: its pictures are not finite"
    return Score(mean, reason, seconds)


def _psnr_db(found: np.ndarray, images: np.ndarray) -> float:
    """The mean over a batch, in the order that fits best; NaN if not finite."""
    if not np.all(np.isfinite(found)):
        return float("nan")
    squares = np.square(found[:, np.newaxis] - images[np.newaxis])
    errors = np.mean(squares.reshape(len(found), len(images), -1), axis=2)
    best = errors[optimize.linear_sum_assignment(errors)]
    # At most 120 dB, so that one exact picture does not decide alone.
    return float(np.mean(-10 * np.log10(np.maximum(best, 1e-12))))
