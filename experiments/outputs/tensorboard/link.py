"""TensorBoard's first screen as a link: what its own start page would falsify is set.

TensorBoard smooths curves unless it is told not to, and shows figures below them. Both
can be said in the address (its deep links: `smoothing`, `pinnedCards`).
"""

import json
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from experiments.outputs.summary import Context, SummaryRow
from experiments.outputs.tensorboard import event_files, report

_ADDRESS: Final = "http://localhost:6006/"
_EXPERIMENT: Final = "defaultExperimentId"
_MOST_CARDS: Final = 4
"""As many as a window of 1280 x 800 pixels shows."""


def to_first_screen(
    rows: Sequence[SummaryRow], meanings: Mapping[Context, Sequence[str]]
) -> str:
    """The address at which TensorBoard shows a run's answer, with smoothing off.

    Args:
      rows: From `summary.summarise`; what is pinned is of `report.write_cards`.
      meanings: What the results mean, as `report.write_cards` has them.

    Returns:
      The address, for a TensorBoard that was started with `--logdir` on the run's folder
      at its usual port.
    """
    cards = [_card(tag) for tag in report.card_tags(rows, meanings)][:_MOST_CARDS]
    return f"{_ADDRESS}?{_query(cards)}#timeseries"


def _query(cards: Iterable[dict[str, str | int]]) -> str:
    pinned = json.dumps(list(cards), separators=(",", ":"))
    return urllib.parse.urlencode({"smoothing": "0", "pinnedCards": pinned})


def _card(tag: str) -> dict[str, str | int]:
    run = f"{_EXPERIMENT}/{event_files.FOLDER_NAME}/{event_files.REPORT}"
    return {"plugin": "images", "tag": tag, "runId": run, "sample": 0}
