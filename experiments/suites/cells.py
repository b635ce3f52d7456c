"""The standard cells: attacks over models, weights and batches, in one table."""

import dataclasses
import math
import pathlib
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO

from attacks.catalog import ATTACKS
from experiments.outputs import (
    blind,
    environment,
    files,
    results,
    run_directory,
    text_tables,
    why,
)
from experiments.outputs.records import AttackRecord
from experiments.outputs.table import Table
from experiments.study import flag_table, run_folders
from experiments.study.settings import Settings
from experiments.suites import regret

BEST = "the best of them"
BLIND = "a blind guess, without the gradient"
"""The highest PSNR of each picture, in hindsight."""

_ONE_PICTURE = "does not apply: it is for a single picture"
_RECOVERED_DB = 40.0


class Point(NamedTuple):
    """One run of the study.

    Attributes:
      model: Which is attacked.
      rounds: Behind its weights.
      batch_size: Pictures behind a message.
    """

    model: str
    rounds: int
    batch_size: int

    @property
    def name(self) -> str:
        """Of the run's folder."""
        return f"{self.model}_after{self.rounds}_batch{self.batch_size}"


class Found(NamedTuple):
    """What an attack made of the messages of one mask.

    Attributes:
      values: The PSNR of each picture in dB; NaN where the attack diverged.
      reasons: Why it has no result, each once.
    """

    values: tuple[float, ...]
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """For a table: the median and the ends, or that there is none."""
        known = [value for value in self.values if not math.isnan(value)]
        if known:
            return text_tables.spread(known, ".0f")
        if self.values:
            return "diverged"
        if self.reasons:
            return "failed" if "failed" in self.reasons[0] else "does not apply"
        return "not run"


def points(
    models: Sequence[str], rounds: Sequence[int], batch_sizes: Sequence[int]
) -> tuple[Point, ...]:
    """All runs, model by model."""
    return tuple(
        Point(model, number, size)
        for model in models
        for number in rounds
        for size in batch_sizes
    )


def folder(asked: Settings) -> pathlib.Path:
    """Where the runs and the tables are."""
    return run_folders.named(asked.output, "cells")


def settings_of(asked: Settings, point: Point) -> Settings | None:
    """The settings of one run.

    Args:
      asked: What all runs are asked for.
      point: The run.

    Returns:
      The settings, with those attacks that are for such a batch; None if none is.
    """
    methods = _methods(asked, point)
    if not methods:
        return None
    return dataclasses.replace(
        flag_table.narrowed(asked, Settings),
        model=point.model,
        training=dataclasses.replace(asked.training, weights_after_rounds=point.rounds),
        attack=dataclasses.replace(
            asked.attack, batch_size=point.batch_size, methods=methods
        ),
        output=dataclasses.replace(
            asked.output, logdir=str(folder(asked)), run_name=point.name
        ),
    )


def as_arguments(point: Point) -> tuple[str, ...]:
    """What a run's command line has beside the study's."""
    return (
        f"--model={point.model}",
        f"--weights_after_rounds={point.rounds}",
        f"--attack_batch_size={point.batch_size}",
    )


def _methods(asked: Settings, point: Point) -> tuple[str, ...]:
    return tuple(
        name
        for name in asked.attack.methods
        if point.batch_size == 1 or not ATTACKS[name].one_example
    )


def write(asked: Settings, runs: Sequence[Point], command: str) -> None:
    """Writes what is there, as Markdown for people and as CSV.

    Args:
      asked: What all runs are asked for.
      runs: The runs.
      command: That was given.
    """
    found = _collected(asked, runs)
    text = [
        f"```\n{command}\n```\n",
        f"PSNR in dB, median (min, max) over the pictures of {asked.attack.num_images} "
        "messages a cell; after R rounds of averaging, batches of b.\n",
        f"{environment.in_words(environment.describe())}.\n",
        *(text_tables.to_markdown(table) for table in _tables(asked, runs, found)),
        *(f"{line}\n" for line in (*_regrets(asked, runs), *_reasons(found))),
    ]
    here = folder(asked)
    here.mkdir(parents=True, exist_ok=True)
    files.write_atomically(here / "cells.md", "\n".join(text).encode())
    files.write_atomically(here / "cells.csv", _csv(found).encode())


def show(asked: Settings, runs: Sequence[Point], stream: TextIO) -> None:
    """Prints the tables, the regret, and the reasons of what has no result."""
    found = _collected(asked, runs)
    for table in _tables(asked, runs, found):
        text_tables.show(table, stream)
    for line in (*_regrets(asked, runs), *_reasons(found)):
        print(line, file=stream)


class _Place(NamedTuple):
    """Where a number stands."""

    point: Point
    metric: str
    ratio: float
    attack: str


def _collected(asked: Settings, runs: Sequence[Point]) -> dict[_Place, Found]:
    """What each attack made of each mask, and the best of them of each picture."""
    found: dict[_Place, Found] = {}
    for point in runs:
        records = [
            record
            for record in results.load(folder(asked) / point.name)
            if isinstance(record, AttackRecord) and record.attacker == "mask_aware"
        ]
        for metric in asked.masks.metrics:
            for ratio in asked.masks.ratios:
                of_mask = [
                    one
                    for one in records
                    if (one.cell.metric, one.cell.encryption_ratio) == (metric, ratio)
                ]
                for name in asked.attack.methods:
                    mine = [one for one in of_mask if one.attack == name]
                    place = _Place(point, metric, ratio, name)
                    found[place] = _found(mine)
                    if name not in _methods(asked, point):
                        found[place] = Found((), (_ONE_PICTURE,))
                found[_Place(point, metric, ratio, BEST)] = _best(of_mask)
                found[_Place(point, metric, ratio, BLIND)] = _blind(of_mask)
    return found


def _regrets(asked: Settings, runs: Sequence[Point]) -> Iterator[str]:
    """What attackers who choose among several attacks give away by their choice."""
    records = [
        record
        for point in runs
        for record in results.load(folder(asked) / point.name)
        if isinstance(record, AttackRecord)
    ]
    for name in asked.attack.methods:
        found = regret.mean([one for one in records if one.attack == name])
        if found is not None:
            yield (
                f"`{name}`: its best member in hindsight is {found:.1f} dB above the "
                f"chosen one (mean over cells; all above {regret.EXACT_DB:g} dB counted "
                "as equal)."
            )


def _found(records: Sequence[AttackRecord]) -> Found:
    return Found(
        tuple(one.number("psnr_db") for one in records if "psnr_db" in one.measures),
        tuple(
            dict.fromkeys(
                why.no_result(one.status, one.reason)
                for one in records
                if one.status != "ok"
            )
        ),
    )


def _best(records: Sequence[AttackRecord]) -> Found:
    best: dict[int, float] = {}
    for one in records:
        reached = one.number("psnr_db")
        if not math.isnan(reached):
            best[one.image_index] = max(reached, best.get(one.image_index, -math.inf))
    reasons = ("does not apply: no attack has a result",) if records else ()
    return Found(tuple(best.values()), () if best else reasons)


def _blind(records: Sequence[AttackRecord]) -> Found:
    guessed = blind.of_examples(records, "psnr_db")
    return Found(tuple(blind.value(one, "psnr_db") for one in guessed), ())


def _tables(
    asked: Settings, runs: Sequence[Point], found: dict[_Place, Found]
) -> Iterator[Table]:
    """The best of the attacks, a blind guess, each attack, what the weights are worth."""
    ratios = asked.masks.ratios
    headings = ("model", "R", "b", "mask", *(f"{100 * one:g} %" for one in ratios))
    for attack in (BEST, BLIND, *asked.attack.methods):
        lines = [
            (
                point.model,
                str(point.rounds),
                str(point.batch_size),
                metric,
                *(found[_Place(point, metric, one, attack)].text for one in ratios),
            )
            for point in runs
            for metric in asked.masks.metrics
        ]
        title = attack if attack in (BEST, BLIND) else f"`{attack}`"
        yield Table(f"{title[:1].upper()}{title[1:]}", headings, lines)
    worth = list(_worth(asked, runs))
    if worth:
        yield Table("The weights", ("model", "R", "on the test set"), worth)


def _worth(asked: Settings, runs: Sequence[Point]) -> Iterator[tuple[str, ...]]:
    seen: set[tuple[str, int]] = set()
    for point in runs:
        there = folder(asked) / point.name
        if (point[:2]) in seen or not (there / run_directory.FILE_NAME).exists():
            continue
        seen.add(point[:2])
        facts = run_directory.read_config(there)["facts"]
        measures = facts.get("attacked_weights_test", {})
        if measures:
            shown = ", ".join(f"{name} {value:.3g}" for name, value in measures.items())
            yield (point.model, str(point.rounds), shown)


def _reasons(found: dict[_Place, Found]) -> Iterator[str]:
    """Every reason once, with the models and batches that it is of."""
    of: dict[tuple[str, str], dict[str, None]] = {}
    for place, one in found.items():
        for reason in one.reasons if place.attack != BEST else ():
            cell = f"{place.point.model} (b = {place.point.batch_size})"
            of.setdefault((place.attack, reason), {})[cell] = None
    for (attack, reason), cells in of.items():
        yield f"`{attack}` {reason} [{', '.join(cells)}]"


def _csv(found: dict[_Place, Found]) -> str:
    headings = (
        "model", "weights_after_rounds", "batch_size", "metric", "encryption_ratio",
        "attack", "pictures", "psnr_median_db", "psnr_min_db", "psnr_max_db",
        "share_40db", "no_result",
    )  # fmt: skip
    lines: list[tuple[object, ...]] = [headings]
    for place, one in found.items():
        values = [-math.inf if math.isnan(value) else value for value in one.values]
        numbers: tuple[object, ...] = (None,) * 4
        if values:
            middle = statistics.median(values)
            share = sum(value >= _RECOVERED_DB for value in values) / len(values)
            numbers = (middle, min(values), max(values), share)
        reason = "; ".join(one.reasons) or ("" if values else one.text)
        lines.append((*place.point, *place[1:], len(values), *numbers, reason))
    return text_tables.to_csv(lines)
