"""Leakage and overhead as curves over the encryption ratio."""

import itertools
import pathlib
from collections.abc import Sequence

from experiments.outputs import records
from experiments.outputs.leaks import Leaks
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.records import ATTACKERS
from experiments.outputs.summary import PLAIN_RELEASE, SummaryRow
from experiments.outputs.tensorboard import event_files, measures, trials
from experiments.outputs.tensorboard.measures import STRONGEST

_STEP_IS_RATIO = (
    "**The horizontal axis is the encryption ratio in per mille**: step 100 means that "
    "10 % of the entries are encrypted. Set *Smoothing* to 0 to see the true values. "
)


def write_by_ratio(
    run_folder: pathlib.Path, rows: Sequence[SummaryRow], leaks: Leaks = PICTURES
) -> None:
    """Writes leakage and overhead as scalars over the encryption ratio.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
      leaks: What is measured.
    """
    root = run_folder / event_files.FOLDER_NAME / "by_ratio"
    # The plain training has one ratio and no leakage: no curve.
    rows = [row for row in rows if row.policy != PLAIN_RELEASE]
    settings = [trials.settings_of(row) for row in rows]
    for setting in settings:
        del setting["encryption_ratio"]
    curves: dict[str, list[SummaryRow]] = {}
    names = records.distinguishing_names(settings, always=("policy",))
    for name, row in zip(names, rows, strict=True):
        curves.setdefault(name, []).append(row)
    # One ratio makes no curve, and TensorBoard unchecks everything beyond 40 runs.
    curves = {name: group for name, group in curves.items() if len(group) > 1}
    attackers = (*ATTACKERS, STRONGEST)
    event_files.remove_stale(
        root, "scalars", {f"{n}/{a}" for n in curves for a in attackers}
    )
    for name, of_curve in curves.items():
        ordered = sorted(of_curve, key=lambda row: row.encryption_ratio)
        for attacker in attackers:
            with event_files.fresh_default(
                root / name / attacker, "scalars", forget=True
            ):
                for row, one in itertools.product(ordered, measures.of(leaks)):
                    if one.curve and one.attacker == attacker:
                        event_files.scalar(
                            f"by_ratio/{one.curve}",
                            one.value(row),
                            round(1000 * row.encryption_ratio),
                            _STEP_IS_RATIO + one.description,
                        )
