"""One attacked example: the original beside what the attackers made of it."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import matplotlib.axes
import matplotlib.figure
import numpy as np
from numpy.typing import NDArray

from experiments.outputs import blind
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.records import ATTACKERS

Place: TypeAlias = tuple[float, str, str]
"""Encryption ratio, metric and attacker of a panel."""

_REASON_CHARACTERS, _REASON_LINES = 26, 9
_CAPTION_CHARACTERS = 21


class Panel(NamedTuple):
    """One reconstruction in a picture.

    Attributes:
      encryption_ratio: m / n.
      metric: What chose the hidden entries.
      attacker: "naive" or "mask_aware".
      image: [h, w, c], c = 1 or 3; clipped to [0, 1].
      psnr_db: Its PSNR.
      is_blind: Whether that is no better than a blind guess.
      order: By what it is compared with others: its `hindsight.order`.
      seen: By what it is more than that, where it is not by PSNR.
    """

    encryption_ratio: float
    metric: str
    attacker: str
    image: NDArray[np.floating]
    psnr_db: float
    is_blind: bool = False
    order: tuple[Any, ...] = ()
    seen: str = ""


def figure(
    title: str,
    original: NDArray[np.floating],
    panels: Sequence[Panel],
    reasons: Mapping[Place, str] = MappingProxyType({}),
) -> matplotlib.figure.Figure:
    """Lays out one example: the original beside what the attackers made of it.

    One row for each encryption ratio; the original in the first column, then for each
    metric the naive and the mask-aware attacker's picture with its PSNR. Pixels are
    enlarged as squares, never smoothed.

    Args:
      title: Which example it is.
      original: [h, w, c] in [0, 1], c = 1 or 3.
      panels: The reconstructions. Of several for one place one that is better than a
        blind guess is shown, and of those the one with the highest PSNR.
      reasons: Why there is none in a place where somebody attacked; at least one of the
        two.

    Returns:
      The figure.

    Raises:
      ValueError: If there is nothing to show.
    """
    if not panels and not reasons:
        raise ValueError(
            "`panels` must hold at least one reconstruction, got none. Attack the "
            "example first."
        )
    places = {(one.encryption_ratio, one.metric) for one in panels}
    places |= {(ratio, metric) for ratio, metric, _ in reasons}
    ratios = sorted({ratio for ratio, _ in places})
    columns = [
        (metric, attacker)
        for metric in sorted({metric for _, metric in places})
        for attacker in ATTACKERS
    ]
    made = matplotlib.figure.Figure(
        figsize=(1.3 + 1.75 * (1 + len(columns)), 1.1 + 2.05 * len(ratios)),
        layout="constrained",
    )
    made.suptitle(title, fontsize=14)
    axes = made.subplots(len(ratios), 1 + len(columns), squeeze=False)
    for ratio, row in zip(ratios, axes, strict=True):
        _show(row[0], original, "")
        row[0].set_ylabel(
            f"{100 * ratio:g} %\nencrypted", fontsize=13, rotation=0, ha="right"
        )
        row[0].yaxis.set_label_coords(-0.08, 0.4)
        for (metric, attacker), axis in zip(columns, row[1:], strict=True):
            shown = [
                panel
                for panel in panels
                if (panel.metric, panel.encryption_ratio, panel.attacker)
                == (metric, ratio, attacker)
            ]
            if shown:
                best = max(shown, key=_order)
                _show(axis, best.image, _caption(best))
            else:
                axis.axis("off")
                _say(axis, reasons.get((ratio, metric, attacker), ""))
    headings = [
        f"{metric}\n{attacker.replace('_', '-')}" for metric, attacker in columns
    ]
    for axis, heading in zip(axes[0], ("original", *headings), strict=True):
        axis.set_title(heading, fontsize=13, pad=8)
    return made


def _caption(panel: Panel) -> str:
    shown = PICTURES.shown(panel.psnr_db)
    if panel.seen:
        return f"{shown}\n{panel.seen}"
    if not panel.is_blind:
        return shown
    return "\n".join(textwrap.wrap(f"{blind.NO_BETTER} ({shown})", _CAPTION_CHARACTERS))


def _say(axis: matplotlib.axes.Axes, reason: str) -> None:
    """Why there is no picture, as much of it as there is room for."""
    text, size = "not attacked", None
    if reason:
        text, size = (
            "\n".join(
                textwrap.wrap(
                    reason,
                    _REASON_CHARACTERS,
                    max_lines=_REASON_LINES,
                    placeholder=" [..]",
                )
            ),
            7,
        )
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=size)


def _show(axis: matplotlib.axes.Axes, image: NDArray[np.floating], below: str) -> None:
    pixels = np.clip(np.nan_to_num(np.asarray(image, np.float32)), 0.0, 1.0)
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ValueError(
            "A picture must be [h, w, c] with 1 or 3 channels, got "
            f"{list(pixels.shape)}."
        )
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    axis.imshow(pixels, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_xlabel(below, fontsize=12 if "\n" in below else 13)


def _order(panel: Panel) -> tuple[Any, ...]:
    psnr_db = -math.inf if math.isnan(panel.psnr_db) else panel.psnr_db
    # First of the order is whether it is no look-up.
    return panel.order[:1], not panel.is_blind, panel.order, psnr_db
