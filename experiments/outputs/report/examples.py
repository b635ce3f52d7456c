"""Originals beside what attackers made of them, as pictures that a page can hold."""

import base64
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

from experiments.outputs import blind, columns, hindsight, reconstructions, tries, why
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.report import outcomes
from experiments.outputs.report.families import Family
from experiments.outputs.report.outcomes import CHOOSING
from experiments.outputs.report.reading import Run
from experiments.outputs.summary import Context

MOST = 3
"""Examples of a context that are shown; the files of all are in the run's folder."""

MOST_PIXELS = 72
"""Along a side: larger pictures are shown smaller, so that a page stays small."""

_SENTENCES = "; sentences are below if the run kept them (the same command adds them)."


class Tile(NamedTuple):
    """One picture, or why there is none.

    Attributes:
      source: A "data:" address of a PNG, or "".
      heading: What it is: "original", or what was hidden.
      lines: Below it: attack and measure; or the reason.
      alt: The same for who does not see it.
    """

    source: str
    heading: str
    lines: tuple[str, ...]
    alt: str


class Strip(NamedTuple):
    """One example under one metric.

    Attributes:
      title: Which example, by the names that records and files have.
      tiles: The original, then the masks by the share hidden.
    """

    title: str
    tiles: tuple[Tile, ...]


def of(context: Context, family: Family, leaks: Leaks) -> tuple[list[Strip], str]:
    """The pictures of one context.

    Of every mask one reconstruction: that of the attack that chooses without the
    original where it was made, else the best one in hindsight, and it says which.

    Args:
      context: What was attacked.
      family: Runs that have it.
      leaks: What is measured.

    Returns:
      The strips, and a sentence of what is not shown.
    """
    attacked = [
        (run, record)
        for run in family.runs
        for record in run.records
        if isinstance(record, AttackRecord) and outcomes.context_of(record) == context
    ]
    # In the order of the table's values.
    victims = sorted({(one.cell.seed, one.image_index) for _, one in attacked})
    strips: list[Strip] = []
    arrays: list[NDArray[Any]] = []
    for victim in victims[:MOST]:
        own = [
            (run, one)
            for run, one in attacked
            if (one.cell.seed, one.image_index) == victim
        ]
        original = reconstructions.load_original(own[0][0].path, victim[1])
        kept = (reconstructions.load(run.path, one.key) for run, one in own)
        arrays = [array for array in (original, *kept) if array is not None]
        if arrays and not _drawable(arrays[0]):
            return [], (
                "The examples are no pictures. cells.csv has the numbers of each"
                f"{_SENTENCES if leaks.modality == 'text' else _files(own)}"
            )
        strips += _strips(own, original, leaks)
    said = []
    if len(victims) > MOST:
        said.append(f"{MOST} of {len(victims)} examples are shown.")
    if arrays and max(arrays[0].shape[:2]) > MOST_PIXELS:
        said.append(
            f"Shown smaller than they are ({arrays[0].shape[0]} x {arrays[0].shape[1]} "
            "pixels): each pixel is the mean of a square. The files have them whole."
        )
    return strips, " ".join(said)


def _files(own: Sequence[tuple[Run, AttackRecord]]) -> str:
    """Where the recovered values of a row of a table are."""
    kept = [
        reconstructions.path_of(run.path, one.key)
        for run, one in own
        if reconstructions.load(run.path, one.key) is not None
    ]
    if not kept:
        return "."
    return (
        ", and names the file of its recovered values, an array of NumPy in "
        f"{reconstructions.FOLDER_NAME}/ ({kept[0].name}, for example; *_original.npy has "
        "the true ones)."
    )


def png(picture: NDArray[Any]) -> str:
    """A picture, [h, w, 1] or [h, w, 3] in [0, 1], as a "data:" address of a PNG."""
    pixels = np.clip(np.nan_to_num(np.asarray(picture, np.float32)), 0.0, 1.0)
    height, width, channels = pixels.shape
    side = math.ceil(max(height, width) / MOST_PIXELS)
    if side > 1:
        rows, columns = height // side, width // side
        squares = pixels[: rows * side, : columns * side]
        squares = squares.reshape(rows, side, columns, side, channels)
        pixels = squares.mean(axis=(1, 3))
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, (255 * pixels + 0.5).astype(np.uint8), format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _drawable(example: NDArray[Any]) -> bool:
    return example.ndim == 3 and example.shape[2] in (1, 3)


def _strips(
    own: Sequence[tuple[Run, AttackRecord]],
    original: NDArray[Any] | None,
    leaks: Leaks,
) -> Iterator[Strip]:
    first = own[0][1]
    label = "" if first.label is None else f", label {first.label}"
    name = f"{first.cell.dataset} {first.image_index}{label}, seed {first.cell.seed}"
    masks = list(dict.fromkeys((one.cell.metric, one.cell.agreement) for _, one in own))
    for metric, agreement in masks:
        here = [
            (run, one)
            for run, one in own
            if (one.cell.metric, one.cell.agreement) == (metric, agreement)
        ]
        tiles = [_original(original, name)]
        for share in sorted({one.hidden_share for _, one in here}):
            at = [(run, one) for run, one in here if one.hidden_share == share]
            tiles.append(_tile(at, share, leaks))
        hidden = f"hidden by {metric}, {agreement}"
        if first.target == "aggregate":
            hidden = outcomes.PUBLISHED
        yield Strip(f"{name}; {hidden}", tuple(tiles))


def _original(original: NDArray[Any] | None, name: str) -> Tile:
    if original is None:
        lines = ("not kept by this run, or damaged; the same command adds it",)
        return Tile("", "original", lines, "no picture")
    return Tile(png(original), "original", (), f"original of {name}")


def _tile(at: Sequence[tuple[Run, AttackRecord]], share: float, leaks: Leaks) -> Tile:
    first = at[0][1]
    hidden = outcomes.hidden_in_words(
        first.cell.encryption_ratio, share, share, first.parameters
    )
    heading = "published" if first.target == "aggregate" else f"{hidden} hidden"
    choosing = [pair for pair in at if pair[1].attack == CHOOSING]
    ended = [pair for pair in choosing or at if pair[1].status == "ok"]
    if not ended:
        reason = f"{first.attack} {why.no_result(first.status, first.reason)}"
        return Tile("", heading, (reason,), reason)
    run, best = max(
        ended, key=lambda pair: hindsight.order(next(tries.of(pair[1])), leaks)
    )
    value = best.number(leaks.main.key)
    shown = leaks.shown(value)
    past, by = blind.alone(best, leaks)
    if past and past.none:
        shown = f"{blind.NO_BETTER} ({shown})"
    shown = ", ".join(filter(None, [shown, by]))
    shown = "; ".join(filter(None, [shown, columns.of_row(best)]))
    how = f"chosen: {best.chosen}" if choosing else "best in hindsight"
    name = f"{best.attack} {best.attacker.replace('_', '-')}"
    kept = reconstructions.load(run.path, best.key)
    lines = (shown, f"{name} ({how})")
    if kept is None or not _drawable(kept):
        why_none = reconstructions.why_none(run.path, best.key)
        return Tile("", heading, (*lines, why_none), "no picture")
    file = reconstructions.path_of(run.path, best.key).name
    return Tile(png(kept), heading, lines, f"{name}, {heading}: {shown}; {file}")
