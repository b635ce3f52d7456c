"""The figure of an analysis: the predicted PSNR of attackers against the ratio."""

import math
from collections.abc import Sequence

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from experiments.analysis.results import IDENTIFIABILITY, Analysed
from experiments.analysis.summary import by_mask, median_bracket
from experiments.outputs.style import COLOURS, MARKERS


def figure(
    title: str, prior_psnr_db: float, results: Sequence[Analysed]
) -> matplotlib.figure.Figure:
    """Draws the predicted PSNR against the encryption ratio, one line for each metric.

    A band spans the pictures. A shaded strip marks where identifiability is lost: the
    bracket of the median picture.

    Args:
      title: Two lines.
      prior_psnr_db: Of an attacker who knows nothing but the prior.
      results: At least one.

    Returns:
      The figure.
    """
    drawn = matplotlib.figure.Figure(figsize=(7.5, 5.5), layout="constrained")
    axis = drawn.subplots()
    axis.set_title(title, fontsize=12)
    axis.set_xlabel("encrypted share of the parameters in %", fontsize=12)
    axis.set_ylabel("predicted PSNR of attackers in dB", fontsize=12)
    bounds: dict[str, dict[float, list[float]]] = {}
    for (ratio, metric), found in by_mask(results).items():
        psnrs = [each.psnr_bound_db for each in found]
        bounds.setdefault(metric, {})[100 * ratio] = psnrs
    for index, (metric, own) in enumerate(bounds.items()):
        colour = COLOURS[index % len(COLOURS)]
        axis.plot(
            list(own),
            [np.median(psnrs) for psnrs in own.values()],
            color=colour,
            marker=MARKERS[index % len(MARKERS)],
            linewidth=1.8,
            label=metric,
        )
        axis.fill_between(
            list(own),
            [min(psnrs) for psnrs in own.values()],
            [max(psnrs) for psnrs in own.values()],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        low, high = median_bracket(results, metric, IDENTIFIABILITY)
        if math.isfinite(high):
            axis.axvspan(100 * low, 100 * high, color=colour, alpha=0.25, linewidth=0)
            axis.axvline(100 * high, color=colour, linestyle=":", linewidth=1.5)
    axis.axhline(prior_psnr_db, color="0.4", linestyle="--", label="the prior alone")
    axis.plot([], [], color="0.4", linestyle=":", label="a direction is lost")
    axis.set_xscale("symlog", linthresh=1.0)
    axis.set_xlim(left=0.0, right=105.0)
    axis.xaxis.set_major_locator(
        matplotlib.ticker.FixedLocator([0, 1, 2, 5, 10, 20, 50, 100])
    )
    axis.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axis.grid(True, which="major", color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
    drawn.legend(fontsize=11, frameon=False, loc="outside lower center", ncols=3)
    return drawn
