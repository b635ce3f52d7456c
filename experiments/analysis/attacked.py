"""The attack on every mask that was analysed, beside a guess without a gradient.

DLG, mask-aware, in float64, with the labels known; the guess is the mean of the public
pictures.
"""

import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple, TextIO

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import programs
from attacks.continuous.second_order import dlg
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from experiments.analysis.agreement import Case
from experiments.analysis.results import Analysed
from experiments.analysis.study import Study
from experiments.outputs import files, progress
from experiments.study import examples
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
      iterations: Of each attack.
      restarts: Of each attack.
    """

    study: Study
    analysed: tuple[Analysed, ...]
    iterations: int
    restarts: int


def attack(work: Work, folder: pathlib.Path, stream: TextIO) -> None:
    """Attacks every mask that was not attacked yet.

    Args:
      work: What to attack, and how.
      folder: Where `FILE_NAME` is.
      stream: Where progress goes.
    """
    done = {_key(record) for record in files.read_lines(folder / FILE_NAME)}
    shared = programs.Programs()
    total = sum(len(analysed.rows) for analysed in work.analysed)
    with (
        files.LineAppender(folder / FILE_NAME) as lines,
        progress.progress("attacks", total, stream, done=len(done)) as display,
    ):
        for analysed in work.analysed:
            for record in _attacks(work, shared, analysed, done):
                display.start(f"{record['metric']}, ratio {record['ratio']:g}")
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
    images, labels = dataset.images[rows], dataset.labels[rows]
    one_hot = examples.targets(model, labels)
    gradient = functional.gradient(
        model, model.initial_weights, tf.constant(images), tf.constant(one_hot)
    ).numpy()
    guess = np.clip(work.study.prior.mean.reshape(images.shape), 0, 1)
    guess_db = cramer_rao.psnr_db(float(np.mean(np.square(guess - images))))
    scores: dict[str, np.ndarray] = {}
    # Metrics agree on some masks, and all of them on hiding nothing.
    reached: dict[bytes, tuple[float, float]] = {}
    for row in analysed.rows:
        record: dict[str, Any] = {
            "picture": rows[0],
            "metric": row.metric,
            "ratio": row.asked_ratio,
            "iterations": work.iterations,
            "restarts": work.restarts,
        }
        if _key(record) in done:
            continue
        if row.metric not in scores:
            scores[row.metric] = work.study.score(row.metric, images, one_hot)
        mask = policy.top_scores(
            tf.constant(scores[row.metric], tf.float32), row.prediction.hidden
        ).numpy()
        packed = np.packbits(mask).tobytes()
        if packed not in reached:
            reached[packed] = _attacked(
                work, shared, gradient, mask, (images, labels, rows[0])
            )
        attack_db, seconds = reached[packed]
        yield record | {
            "predicted_db": row.prediction.psnr_bound_db,
            "attack_db": attack_db,
            "guess_db": guess_db,
            "seconds": seconds,
        }


def _attacked(
    work: Work,
    shared: programs.Programs,
    gradient: np.ndarray,
    mask: np.ndarray,
    truth: tuple[np.ndarray, np.ndarray, int],
) -> tuple[float, float]:
    """Attacks one message: the mean PSNR in dB, and the seconds that it took."""
    model, (images, labels, first) = work.study.model, truth
    view = views.ServerView(
        weights=tuple(weight.numpy() for weight in model.initial_weights),
        mask=mask,
        messages=(views.ClientMessage(gradient[~mask], b"", 1.0),),
        aggregate=None,
    )
    budget = lbfgs.Budget(restarts=work.restarts, max_iterations=work.iterations)
    found = dlg.build_dlg("mask_aware", budget=budget, programs=shared)(
        view,
        knowledge_lib.Knowledge(
            model=model,
            batch_size=len(labels),
            labels=examples.declared(model, labels),
            without_draws=model.task.is_random,
        ),
        (work.study.options.seed, first),
    )
    leaks = evaluation.evaluate(
        found, evaluation.Truth(images, examples.truth(model, labels))
    )
    return float(np.mean([leak.psnr for leak in leaks])), found.seconds


def _key(record: dict[str, Any]) -> tuple[Any, ...]:
    names = ("picture", "metric", "ratio", "iterations", "restarts")
    return tuple(record[name] for name in names)


def cases_of(folder: pathlib.Path) -> tuple[Case, ...]:
    """The attacked cases of a folder."""
    names = ("picture", "metric", "ratio", "predicted_db", "attack_db", "guess_db")
    return tuple(
        Case(*(files.number_from_json(record[name]) for name in names))
        for record in files.read_lines(folder / FILE_NAME)
    )
