"""TensorBoard's first screen as a link: what its own start page would falsify is set.

TensorBoard smooths curves unless it is told not to, and shows figures below them. Both
can be said in the address (its deep links: `smoothing`, `pinnedCards`).
"""

import json
import urllib.parse
from collections.abc import Iterable, Sequence
from typing import Final

from experiments.outputs.summary import SummaryRow
from experiments.outputs.tensorboard import event_files, report

_ADDRESS: Final = "http://localhost:6006/"
_EXPERIMENT: Final = "defaultExperimentId"
_MOST_CARDS: Final = 4


def to_first_screen(rows: Sequence[SummaryRow]) -> str:
    """The address at which TensorBoard shows a run's figures, with smoothing off.

    Args:
      rows: From `summary.summarise`; the figures are those of `report.write_figures`.

    Returns:
      The address, for a TensorBoard that was started with `--logdir` on the run's folder
      at its usual port.
    """
    cards = [_card(tag) for tag in report.figure_tags(rows)][:_MOST_CARDS]
    return f"{_ADDRESS}?{_query(cards)}#timeseries"


def _query(cards: Iterable[dict[str, str | int]]) -> str:
    pinned = json.dumps(list(cards), separators=(",", ":"))
    return urllib.parse.urlencode({"smoothing": "0", "pinnedCards": pinned})


def _card(tag: str) -> dict[str, str | int]:
    run = f"{_EXPERIMENT}/{event_files.FOLDER_NAME}/{event_files.REPORT}"
    return {"plugin": "images", "tag": tag, "runId": run, "sample": 0}
