"""Curves by round, written while a cell trains."""

import contextlib
import pathlib
from collections.abc import Collection, Iterable

from experiments.outputs.records import Cell, Record, RoundRecord
from experiments.outputs.tensorboard import event_files


class RoundWriter(contextlib.AbstractContextManager["RoundWriter"]):
    """Writes the curves of one cell while it trains."""

    def __init__(
        self,
        run_folder: pathlib.Path,
        name: str,
        cell: Cell,
        past: Iterable[Record] = (),
    ) -> None:
        """Starts the curves, with the rounds that are already on record.

        Args:
          run_folder: The folder of the run.
          name: Of the curves: one of `records.cell_names`.
          cell: The point of the grid that is trained.
          past: Records of the run; attacks and other cells are skipped.
        """
        folder = run_folder / event_files.FOLDER_NAME / "cells" / name
        self._writer = event_files.fresh_writer(folder, "rounds", forget=True)
        mine = [
            record
            for record in past
            if isinstance(record, RoundRecord) and record.cell == cell
        ]
        for record in sorted(mine, key=lambda record: record.round):
            self.write(record)

    def write(self, record: RoundRecord) -> None:
        """Adds one round.

        Args:
          record: Of this cell, with a higher round than those before.
        """
        values = {
            "round/loss": record.loss,
            "round/accuracy": record.accuracy,
            "round/seconds": record.round_seconds,
            "round/client_to_server_bytes": record.client_to_server_bytes,
            "round/server_to_client_bytes": record.server_to_client_bytes,
            "round/ciphertext_bytes": record.ciphertext_bytes,
            "round/saturated": record.details.get("saturated"),
            **{
                f"round/test_{name}": value
                for name, value in record.measures.items()
                if name != "accuracy"
            },
        }
        with self._writer.as_default():
            for tag, value in values.items():
                event_files.scalar(
                    tag, value, record.round, "The horizontal axis is the round."
                )
        self._writer.flush()

    def __exit__(self, *exception: object) -> None:
        """Closes the event file."""
        self._writer.close()


def remove_other_rounds(run_folder: pathlib.Path, names: Collection[str]) -> None:
    """Removes curves that an earlier session wrote under other names of cells."""
    root = run_folder / event_files.FOLDER_NAME / "cells"
    event_files.remove_stale(root, "rounds", names)
