"""The attacks on every mask that was analysed, beside a guess without a gradient.

Mask-aware, with the labels known and the public pictures that the prior was estimated
from; the guess is that prior's mean.
"""

import collections
import itertools
import math
import pathlib
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, TextIO

import numpy as np
import tensorflow as tf

from attacks import catalog as attack_catalog
from attacks import effort, envelope, programs
from attacks import knowledge as knowledge_lib
from attacks.metrics import evaluation, targets
from experiments.analysis.agreement import Case
from experiments.analysis.results import Analysed, Row
from experiments.analysis.study import Study
from experiments.modalities.pictures import examples
from experiments.outputs import files, progress
from federated import views
from selenc_tf.distance import cramer_rao
from selenc_tf.masks import policy
from selenc_tf.models import functional

FILE_NAME = "attacked.jsonl"


class Work(NamedTuple):
    """What is attacked.

    Attributes:
      study: The analysis' study: model, data, scores and prior.
      analysed: The predictions.
      attacks: Their names in the catalogue.
      iterations: Of each attack.
      restarts: Of each attack.
    """

    study: Study
    analysed: tuple[Analysed, ...]
    attacks: tuple[str, ...]
    iterations: int
    restarts: int


class Outcome(NamedTuple):
    """What became of one attack on one message.

    Attributes:
      attack_db: The mean PSNR; None without a reconstruction.
      reason: Why there is none, or "".
      seconds: What it took.
    """

    attack_db: float | None
    reason: str
    seconds: float


def attack(work: Work, folder: pathlib.Path, stream: TextIO) -> None:
    """Attacks every mask that was not attacked yet.

    Args:
      work: What to attack, and how.
      folder: Where `FILE_NAME` is.
      stream: Where progress goes.
    """
    done = {_key(record) for record in files.read_lines(folder / FILE_NAME)}
    shared = programs.Programs()
    total = len(work.attacks) * sum(len(analysed.rows) for analysed in work.analysed)
    with (
        files.LineAppender(folder / FILE_NAME) as lines,
        progress.progress(
            "attacks", total, stream, done=_finished(work, done)
        ) as display,
    ):
        for analysed in work.analysed:
            for record in _attacks(work, shared, analysed, done):
                display.start(
                    f"{record['attack']}, {record['metric']}, ratio {record['ratio']:g}"
                )
                lines.append(record)
                display.finish()


def _attacks(
    work: Work,
    shared: programs.Programs,
    analysed: Analysed,
    done: set[tuple[Any, ...]],
) -> Iterator[dict[str, Any]]:
    dataset, rows = work.study.dataset, list(analysed.pictures)
    model = work.study.model
    images, labels = dataset.examples[rows], dataset.labels[rows]
    one_hot = examples.targets(model, labels)
    gradient = functional.gradient(
        model, model.initial_weights, tf.constant(images), tf.constant(one_hot)
    ).numpy()
    guess = np.clip(work.study.prior.mean.reshape(images.shape), 0, 1)
    guess_db = cramer_rao.psnr_db(float(np.mean(np.square(guess - images))))
    scores: dict[str, np.ndarray] = {}
    # Metrics agree on some masks, and all of them on hiding nothing.
    reached: dict[tuple[str, bytes], Outcome] = {}
    for row, method in itertools.product(analysed.rows, work.attacks):
        record = _place(work, rows[0], row, method)
        if _key(record) in done:
            continue
        if row.metric not in scores:
            scores[row.metric] = work.study.score(row.metric, images, one_hot)
        mask = policy.top_scores(
            tf.constant(scores[row.metric], tf.float32), row.prediction.hidden
        ).numpy()
        place = (method, np.packbits(mask).tobytes())
        if place not in reached:
            reached[place] = _attacked(
                work, shared, method, gradient, mask, (images, labels, rows[0])
            )
        yield record | {
            "predicted_db": row.prediction.psnr_bound_db,
            "without_box_db": row.prediction.psnr_without_box_db,
            "guess_db": guess_db,
            **reached[place]._asdict(),
        }


def _attacked(
    work: Work,
    shared: programs.Programs,
    method: str,
    gradient: np.ndarray,
    mask: np.ndarray,
    truth: tuple[np.ndarray, np.ndarray, int],
) -> Outcome:
    """Attacks one message."""
    made, (images, labels, first) = work.study, truth
    model, public = made.model, list(made.public)
    view = views.ServerView(
        weights=tuple(weight.numpy() for weight in model.initial_weights),
        mask=mask,
        messages=(views.ClientMessage(gradient[~mask], b"", 1.0),),
        aggregate=None,
    )
    others = examples.truth(model, made.dataset.labels[public])
    known = knowledge_lib.Knowledge(
        model=model,
        batch_size=len(labels),
        labels=examples.declared(model, labels),
        public_examples=knowledge_lib.PublicExamples(
            made.dataset.examples[public], others
        ),
        without_draws=model.task.is_random,
    )
    attack = attack_catalog.build(
        method, effort=effort.Effort(work.restarts, work.iterations), programs=shared
    )
    began = time.monotonic()
    try:
        found = attack(view, known, (made.options.seed, first))
    except envelope.FAILURES as reason:
        fits = isinstance(reason, knowledge_lib.DoesNotApply)
        text = f"does not apply: {reason}" if fits else envelope.text_of(reason)
        return Outcome(None, text, time.monotonic() - began)
    within = targets.tolerance(others) if others.ndim == 2 else None
    leaks = evaluation.evaluate(
        found, evaluation.Truth(images, examples.truth(model, labels), within)
    )
    return Outcome(float(np.mean([leak.psnr for leak in leaks])), "", found.seconds)


def _place(work: Work, picture: int, row: Row, method: str) -> dict[str, Any]:
    """What makes a piece of work another one than the rest."""
    return {
        "picture": picture,
        "metric": row.metric,
        "ratio": row.asked_ratio,
        "attack": method,
        "iterations": work.iterations,
        "restarts": work.restarts,
    }


def _key(record: dict[str, Any]) -> tuple[Any, ...]:
    names = ("picture", "metric", "ratio", "iterations", "restarts")
    # Until there were several, it was DLG.
    return (record.get("attack", "dlg"), *(record[name] for name in names))


def _finished(work: Work, done: set[tuple[Any, ...]]) -> int:
    wanted = {
        _key(_place(work, analysed.pictures[0], row, method))
        for analysed in work.analysed
        for row in analysed.rows
        for method in work.attacks
    }
    return len(wanted & done)


def cases_of(folder: pathlib.Path) -> tuple[Case, ...]:
    """The attacked cases of a folder, each with the attack that reached most."""
    places: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in files.read_lines(folder / FILE_NAME):
        place = (record["picture"], record["metric"], record["ratio"])
        places.setdefault(place, []).append(record)
    return tuple(_case(place, found) for place, found in places.items())


def _case(place: tuple[Any, ...], found: list[dict[str, Any]]) -> Case:
    reached = [
        (number, record.get("attack", "dlg"))
        for record in found
        if record["attack_db"] is not None
        and not math.isnan(number := files.number_from_json(record["attack_db"]))
    ]
    attack_db, name = max(reached, default=(math.nan, ""))
    predicted, without_box, guess = (
        files.number_from_json(found[0].get(key, math.nan))
        for key in ("predicted_db", "without_box_db", "guess_db")
    )
    picture, metric, ratio = place
    return Case(picture, metric, ratio, predicted, attack_db, guess, name, without_box)


def reasons_of(folder: pathlib.Path) -> tuple[str, ...]:
    """Why attacks have no result, each once, with the number of masks."""
    counts = collections.Counter(
        f"{record['attack']} {record['reason']}"
        for record in files.read_lines(folder / FILE_NAME)
        if record.get("reason")
    )
    return tuple(f"{reason} ({count} masks)" for reason, count in counts.items())
