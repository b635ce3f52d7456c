"""Attacks what `experiments.analyse` has analysed, and compares the two.

    python -m experiments.check_prediction --analysis=runs/check_lenet

Every mask of the analysis is attacked: DLG, mask-aware, in float64, with the labels
known; beside it stands the mean of the public pictures, which needs no gradient. Started
again, it goes on with the cases that are missing.
"""

import csv
import io
import math
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TextIO

import matplotlib.figure
import numpy as np
import rich.box
import rich.console
import rich.table
import tensorflow as tf
from absl import app, flags

from attacks import knowledge as knowledge_lib
from attacks import programs
from attacks.continuous.second_order import dlg
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from experiments import analyse
from experiments.analysis import agreement, report, study
from experiments.analysis import options as options_lib
from experiments.analysis.agreement import Case
from experiments.data import catalog as data_catalog
from experiments.outputs import environment, figures, files, progress, run_directory
from experiments.study.settings import SettingsError
from federated import views
from selenc_tf import catalog
from selenc_tf.distance import cramer_rao
from selenc_tf.masks import policy
from selenc_tf.models import functional

RECORDS = "attacked.jsonl"
TOLERANCE_DB = 1.0
"""How far an attack must be above a bound for that to count as broken."""


class Work(NamedTuple):
    """What is attacked.

    Attributes:
      study: The analysis' study: model, data, scores and prior.
      batches: The pictures.
      analysed: The predictions.
      iterations: Of each attack.
      restarts: Of each attack.
    """

    study: study.Study
    batches: tuple[tuple[int, ...], ...]
    analysed: tuple[study.Analysed, ...]
    iterations: int
    restarts: int


def main(argv: Sequence[str]) -> int:
    """The entry point of the command.

    Args:
      argv: What absl left over.

    Returns:
      0, 2 for an analysis that cannot be used, 130 after Ctrl-C.
    """
    values = flags.FLAGS
    try:
        if len(argv) > 1:
            raise SettingsError(f"Flags only, got {argv[1]!r}.")
        folder = pathlib.Path(values.analysis).expanduser().absolute()
        work = load(folder, values.attack_iterations, values.attack_restarts)
    except (ValueError, OSError) as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 2
    status = 0
    try:
        attack(work, folder, sys.stderr)
    except KeyboardInterrupt:
        print(f"\nStopped. Finished cases are in {folder}.", file=sys.stderr)
        status = 130
    command = " ".join(("python -m experiments.check_prediction", *sys.argv[1:]))
    publish(folder, cases_of(folder), command, sys.stdout)
    return status


def load(folder: pathlib.Path, iterations: int, restarts: int) -> Work:
    """Reads a finished analysis.

    Args:
      folder: Of `experiments.analyse --output`.
      iterations: Of each attack.
      restarts: Of each attack.

    Returns:
      The work.

    Raises:
      SettingsError: If there is no analysis.
      ValueError: If its flags cannot be read.
    """
    if not (folder / report.RECORDS).exists():
        raise SettingsError(
            f"`--analysis` must be a folder of `python -m experiments.analyse`, but "
            f"{folder} has no {report.RECORDS}. Run the analysis first."
        )
    values = flags.FlagValues()
    options_lib.define(values)
    values.mark_as_parsed()
    for name, value in run_directory.read_config(folder)["flags"].items():
        setattr(values, name, value)
    options = options_lib.read(
        values,
        tuple(catalog.MODELS),
        tuple(data_catalog.CATALOG),
        tuple(catalog.METRICS),
    )
    dataset = data_catalog.load(
        options.dataset, values.data_dir or None, values.allow_download
    )
    batches = analyse.choose_pictures(options, dataset)
    rows = [row for batch in batches for row in batch]
    return Work(
        study.build_study(options, dataset, rows),
        batches,
        report.load(folder),
        iterations,
        restarts,
    )


def attack(work: Work, folder: pathlib.Path, stream: TextIO) -> None:
    """Attacks every mask that was not attacked yet.

    Args:
      work: What to attack.
      folder: Where `RECORDS` is.
      stream: Where progress goes.
    """
    done = {_key(record) for record in files.read_lines(folder / RECORDS)}
    options = work.study.options
    model = catalog.model(
        options.model,
        work.study.dataset.image_shape,
        work.study.dataset.num_classes,
        options.seed,
    )
    shared = programs.Programs()
    total = sum(len(analysed.rows) for analysed in work.analysed)
    with (
        files.LineAppender(folder / RECORDS) as lines,
        progress.progress("attacks", total, stream, done=len(done)) as display,
    ):
        for analysed in work.analysed:
            for record in _attacks(work, model, shared, analysed, done):
                display.start(f"{record['metric']}, ratio {record['ratio']:g}")
                lines.append(record)
                display.finish()


def _attacks(
    work: Work,
    model: functional.FunctionalModel,
    shared: programs.Programs,
    analysed: study.Analysed,
    done: set[tuple[Any, ...]],
) -> Iterator[dict[str, Any]]:
    dataset, rows = work.study.dataset, list(analysed.pictures)
    images, labels = dataset.images[rows], dataset.labels[rows]
    one_hot = np.eye(dataset.num_classes, dtype=np.float32)[labels]
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
                work, model, shared, gradient, mask, (images, labels, rows[0])
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
    model: functional.FunctionalModel,
    shared: programs.Programs,
    gradient: np.ndarray,
    mask: np.ndarray,
    truth: tuple[np.ndarray, np.ndarray, int],
) -> tuple[float, float]:
    """Attacks one message: the mean PSNR in dB, and the seconds that it took."""
    images, labels, first = truth
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
            labels=tuple(int(label) for label in labels),
        ),
        (work.study.options.seed, first),
    )
    leaks = evaluation.evaluate(found, evaluation.Truth(images, labels))
    return float(np.mean([leak.psnr for leak in leaks])), found.seconds


def _key(record: dict[str, Any]) -> tuple[Any, ...]:
    names = ("picture", "metric", "ratio", "iterations", "restarts")
    return tuple(record[name] for name in names)


def cases_of(folder: pathlib.Path) -> tuple[Case, ...]:
    """The attacked cases of a folder."""

    def number(record: dict[str, Any], name: str) -> float:
        return float(files.number_from_json(record[name]))

    return tuple(
        Case(
            record["picture"],
            record["metric"],
            record["ratio"],
            number(record, "predicted_db"),
            number(record, "attack_db"),
            number(record, "guess_db"),
        )
        for record in files.read_lines(folder / RECORDS)
    )


def publish(
    folder: pathlib.Path, cases: Sequence[Case], command: str, stream: TextIO
) -> None:
    """Prints the comparison and writes `check.csv`, `check.md` and `check.png`.

    Args:
      folder: Where to.
      cases: All cases.
      command: That was given.
      stream: Where the table goes.
    """
    if len(cases) < 3:
        print("Too few cases to compare.", file=stream)
        return
    lines = _lines(cases)
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    headings = ("ratio", "metric", "bound, dB", "attack, dB", "mean picture, dB")
    for heading in headings:
        table.add_column(heading, justify="right")
    for line in lines:
        table.add_row(*line)
    rich.console.Console(file=stream, width=100, highlight=False).print(table)
    summary = _summary(cases)
    print(summary, file=stream)
    described = environment.describe()
    text = [
        f"`{command}`\n",
        f"{described['cpu']['cores']} cores, {described['cpu']['model']}.\n",
        summary + "\n",
        f"| {' | '.join(headings)} |",
        "| --- " * len(headings) + "|",
        *(f"| {' | '.join(line)} |" for line in lines),
    ]
    files.write_atomically(folder / "check.md", "\n".join(text).encode())
    files.write_atomically(folder / "check.csv", _to_csv(cases).encode())
    files.write_atomically(folder / "check.png", figures.to_png(_figure(cases)))


def _summary(cases: Sequence[Case]) -> str:
    found = agreement.correlation(cases, seed=0)
    capped = agreement.correlation(cases, 0, agreement.EIGHT_BITS_DB)
    failures = agreement.broken(cases, TOLERANCE_DB)
    text = (
        "Spearman's correlation of the bound and the stronger of attack and mean "
        f"picture: {_interval(found)}, resampling {found.pictures} pictures, "
        f"{found.cases} cases; with all above {agreement.EIGHT_BITS_DB:.1f} dB (exact in "
        f"8 bits) counted as equal: {_interval(capped)}. Attacks above their bound by "
        f"more than {TOLERANCE_DB:g} dB: {len(failures)}"
    )
    if failures:
        worst = failures[0]
        text += (
            f", at most {worst.attack_db - worst.predicted_db:.1f} dB ({worst.metric}, "
            f"ratio {worst.encryption_ratio:g})"
        )
    return text + "."


def _interval(found: agreement.Correlation) -> str:
    return (
        f"{found.coefficient:.2f} (95 % interval {found.low:.2f} to {found.high:.2f})"
    )


def _lines(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    groups: dict[tuple[float, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.encryption_ratio, case.metric), []).append(case)
    return [
        (
            f"{ratio:g}",
            metric,
            _median([case.predicted_db for case in group]),
            _median([case.attack_db for case in group]),
            _median([case.guess_db for case in group]),
        )
        for (ratio, metric), group in sorted(groups.items())
    ]


def _median(values: Sequence[float]) -> str:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "-"
    low, middle, high = np.percentile(known, [0, 50, 100])
    return f"{middle:.1f} ({low:.1f}, {high:.1f})"


def _to_csv(cases: Sequence[Case]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(Case._fields)
    writer.writerows(cases)
    return stream.getvalue()


def _figure(cases: Sequence[Case]) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(6.4, 5), layout="constrained")
    axis = figure.subplots()
    colours = matplotlib.colormaps["tab20"]
    for index, metric in enumerate(sorted({case.metric for case in cases})):
        mine = [case for case in cases if case.metric == metric]
        axis.scatter(
            [case.predicted_db for case in mine],
            [case.measured_db for case in mine],
            s=14,
            alpha=0.8,
            color=colours(index),
            label=metric,
        )
    top = max(case.predicted_db for case in cases)
    axis.plot([0, top], [0, top], color="0.6", linewidth=1, zorder=0)
    axis.set_xlabel("predicted: bound on the PSNR, dB")
    axis.set_ylabel("measured: attack or mean picture, dB")
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    flags.DEFINE_string(
        "analysis", "runs/check_lenet", "Folder of a finished `experiments.analyse`."
    )
    flags.DEFINE_integer("attack_iterations", 400, "L-BFGS-B iterations of an attack.")
    flags.DEFINE_integer("attack_restarts", 1, "Starts of an attack.")
    app.run(main)
