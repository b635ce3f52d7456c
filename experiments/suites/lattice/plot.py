"""The lattice suite's figure: time and bytes against the number of values."""

import statistics
from collections.abc import Callable, Sequence

import matplotlib.axes
import matplotlib.figure
import matplotlib.ticker

from experiments.outputs import style
from experiments.suites.lattice.side import (
    BEST,
    OURS_8,
    OURS_16,
    OURS_DEVICE,
    OURS_PAD,
    OURS_PER_CLIENT,
    PEERS,
)
from experiments.suites.lattice.timing import Times

# Ours solid, TenSEAL's dashed.
_STYLES = {
    OURS_16: (style.BLUE, "o", "-"),
    OURS_8: (style.SKY, "s", "-"),
    OURS_DEVICE: (style.GREEN, "v", "-"),
    OURS_PAD: (style.PURPLE, "P", "-"),
    OURS_PER_CLIENT: (style.GREEN, "p", "-."),
    PEERS: (style.VERMILION, "^", "--"),
    BEST: (style.ORANGE, "D", "--"),
}


def figure(times: Sequence[Times]) -> matplotlib.figure.Figure:
    """Draws seconds and bytes of a client's message, both axes logarithmic.

    Args:
      times: What was measured, of one length or several.

    Returns:
      The figure.
    """
    made = matplotlib.figure.Figure(figsize=(10.5, 4.8), layout="constrained")
    left, right = made.subplots(1, 2)
    left.set_title("Client: quantise, encrypt, serialise", fontsize=12)
    left.set_ylabel("time", fontsize=12)
    right.set_title("Message, client to server", fontsize=12)
    right.set_ylabel("size", fontsize=12)
    _draw(left, times, lambda item: statistics.median(item.client.seconds))
    _draw(right, times, lambda item: float(item.message_bytes))
    _draw_plain(right, times)
    # After the scales are set, which bring formatters of their own.
    left.yaxis.set_major_formatter(matplotlib.ticker.EngFormatter("s"))
    right.yaxis.set_major_formatter(matplotlib.ticker.EngFormatter("B"))
    handles, labels = right.get_legend_handles_labels()
    made.legend(
        handles,
        labels,
        fontsize=11,
        frameon=False,
        loc="outside lower center",
        ncols=3,
    )
    return made


def _draw(
    axis: matplotlib.axes.Axes,
    times: Sequence[Times],
    height: Callable[[Times], float],
) -> None:
    for name, (colour, marker, line) in _STYLES.items():
        points = sorted(
            (item.num_values, height(item)) for item in times if item.side.name == name
        )
        if points:
            axis.plot(
                [across for across, _ in points],
                [up for _, up in points],
                color=colour,
                marker=marker,
                linestyle=line,
                linewidth=1.8,
                label=name,
            )
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("encrypted values", fontsize=12)
    axis.set_xticks(sorted({item.num_values for item in times}))
    axis.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
    axis.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axis.grid(True, which="major", color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.08, y=0.1)


def _draw_plain(axis: matplotlib.axes.Axes, times: Sequence[Times]) -> None:
    """What the values take without encryption."""
    lengths = sorted({item.num_values for item in times})
    axis.plot(
        lengths,
        [4 * length for length in lengths],
        color="0.4",
        linestyle=":",
        marker=".",
        label="float32, not encrypted",
    )
