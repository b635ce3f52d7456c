"""The strongest of the attacks that fit what is known, chosen by a rehearsal.

Several attacks are made on the message. Which answer to believe the attacker finds out by
a rehearsal: he plays clients with his own public pictures under the same mask, attacks
their messages with every method, and sees how well each does. Where hidden entries leave
many pictures possible, a search finds one that fits exactly and is wrong, while a learned
guess fits less well and is right: the visible error alone would choose the former.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import optimize

from attacks import effort as effort_lib
from attacks import envelope
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.analytic import completion, r_gap
from attacks.continuous.second_order import dlg, idlg
from attacks.pictures.peeling import layer_peeling
from attacks.pictures.statistical import baselines, imputation, learned_inverter
from attacks.structure import chain as r_gap_layers
from attacks.structure import network
from federated import views
from selenc_tf import validation
from selenc_tf.models import local_steps
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()


def build_strongest(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    rehearsals: int = 2,
) -> knowledge_lib.Attack:
    """Builds the envelope of the attacks on one gradient.

    Members: iDLG for one picture of unknown class, else DLG; completion; for one picture
    R-GAP or layer peeling, if the model is a chain that they read; and with public
    pictures imputation, the learned inverter, retrieval and the mean picture. The
    reconstruction is the chosen member's; its `label_source` and `stop` are that
    member's, its iterations and seconds those of all, rehearsals included.

    Runs on: attacker. Sees: what the members see, and public pictures.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: Of each member, each time.
      progress: Called by the members.
      rehearsals: Public batches that are attacked to choose among the methods. With 0,
        or without public pictures for one batch and for the attacks themselves, the
        smallest visible error decides.

    Returns:
      The attack.

    Raises:
      ValueError: If `rehearsals` is negative. The attack itself raises one if view,
        knowledge and `source` do not go together, or no member could do anything.
    """
    validation.check_at_least("rehearsals", rehearsals, 0)

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        made = members(knowledge, source, effort, progress)
        found = envelope.strongest(made, view, knowledge, seed, source=source)
        scores = rehearse(view, knowledge, seed, effort, progress, rehearsals)
        name = _choose(found, scores)
        if name is None:
            failures = {key: one.failure for key, one in found.members.items()}
            raise ValueError(
                f"`view` must be one that some member can attack, but all failed: "
                f"{failures}."
            )
        chosen = found.members[name].reconstruction
        assert chosen is not None
        ran = [one.reconstruction for one in found.members.values()]
        return chosen._replace(
            iterations=sum(one.iterations for one in ran if one is not None),
            evaluations=sum(one.evaluations for one in ran if one is not None),
            seconds=time.monotonic() - began,
        )

    return attack


def members(
    knowledge: knowledge_lib.Knowledge,
    source: target_lib.Source,
    effort: effort_lib.Effort,
    progress: effort_lib.Progress | None,
) -> Mapping[str, knowledge_lib.Attack]:
    """The attacks that fit what is known.

    Args:
      knowledge: What the attacker knows.
      source: What is attacked.
      effort: Of each.
      progress: Called by them.

    Returns:
      Attacks by name; those that need local training's absence are left out with it.
    """
    options: dict[str, Any] = {"source": source, "effort": effort, "progress": progress}
    found: dict[str, knowledge_lib.Attack] = {}
    if knowledge.batch_size == 1 and knowledge.labels is None:
        found["idlg"] = idlg.build_idlg("mask_aware", **options)
    else:
        found["dlg"] = dlg.build_dlg("mask_aware", **options)
    if knowledge.local_training is not None:
        return found
    found["completion"] = completion.build_completion(**options)
    if knowledge.batch_size == 1 and r_gap_layers.read_chain(knowledge.model):
        found["r_gap"] = r_gap.build_r_gap(source=source)
    if knowledge.batch_size == 1 and network.read_network(knowledge.model):
        found["layer_peeling"] = layer_peeling.build_layer_peeling(**options)
    if knowledge.public_pictures is None:
        return found
    learners: Mapping[str, Callable[..., knowledge_lib.Attack]] = {
        "imputation": imputation.build_imputation,
        "learned_inverter": learned_inverter.build_learned_inverter,
        "retrieval": baselines.build_retrieval,
        "mean_picture": baselines.build_mean_picture,
    }
    found.update({name: build(**options) for name, build in learners.items()})
    return found


def rehearse(
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    seed: Seed,
    effort: effort_lib.Effort,
    progress: effort_lib.Progress | None,
    rehearsals: int,
) -> Mapping[str, float]:
    """How well each method does on messages that the attacker makes himself.

    Runs on: attacker. Sees: the weights, the mask and its public pictures.

    Args:
      view: For weights and mask.
      knowledge: With public pictures; the first batches are the rehearsal's, and the
        attacks get the others.
      seed: Of the attacks.
      effort: Of each attack.
      progress: Called by the attacks.
      rehearsals: How many batches.

    Returns:
      The mean PSNR in dB by method, of those that never failed; empty where there are
      too few public pictures.
    """
    public, size = knowledge.public_pictures, knowledge.batch_size
    taken = rehearsals * size
    if public is None or not taken or len(public.images) <= 2 * taken:
        return {}
    rest = knowledge_lib.PublicPictures(public.images[taken:], public.labels[taken:])
    found: dict[str, list[float]] = {}
    for index in range(rehearsals):
        part = slice(index * size, (index + 1) * size)
        images, labels = public.images[part], public.labels[part]
        told = None if knowledge.labels is None else tuple(int(x) for x in labels)
        known = dataclasses.replace(
            knowledge,
            public_pictures=rest,
            labels=told,
            client_sizes=None,
        )
        played = _message_of(view, knowledge, images, labels)
        for name, one in members(known, 0, effort, progress).items():
            psnr = _psnr_of(one, played, known, seed, images)
            found.setdefault(name, []).append(psnr)
    return {
        name: float(np.mean(values))
        for name, values in found.items()
        if np.all(np.isfinite(values))
    }


def _message_of(
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
    labels: np.ndarray,
) -> views.ServerView:
    """The view of a blind round in which a client sends these pictures."""
    vector = local_steps.update(
        knowledge.model,
        tuple(tf.constant(tensor) for tensor in view.weights),
        tf.constant(images),
        tf.one_hot(labels, knowledge.model.num_classes),
        knowledge.local_training,
    ).numpy()
    message = views.ClientMessage(vector[~view.mask], b"", 1.0)
    return view._replace(messages=(message,), aggregate=None)


def _psnr_of(
    attack: knowledge_lib.Attack,
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    seed: Seed,
    images: np.ndarray,
) -> float:
    """Of a rehearsed batch, in the order that fits best; NaN if the attack failed."""
    try:
        found = attack(view, knowledge, seed).images
    except Exception:
        return math.nan
    squares = np.square(found[:, np.newaxis] - images[np.newaxis])
    errors = np.mean(squares.reshape(len(found), len(images), -1), axis=2)
    best = errors[optimize.linear_sum_assignment(errors)]
    return float(np.mean(-10 * np.log10(np.maximum(best, 1e-12))))


def _choose(found: envelope.Envelope, scores: Mapping[str, float]) -> str | None:
    """The best in the rehearsal among those with a result, or the envelope's own."""
    rehearsed = [
        name
        for name in scores
        if name in found.members and found.members[name].reconstruction is not None
    ]
    if not rehearsed:
        return found.best_name
    return max(rehearsed, key=lambda name: scores[name])
