"""Event files that a session starts anew, and what TensorBoard makes of old ones."""

import contextlib
import math
import pathlib
import time
from collections.abc import Collection, Iterator

import tensorflow as tf

FOLDER_NAME = "tb"
REPORT = "report"


def report_folder(run_folder: pathlib.Path) -> pathlib.Path:
    """Where pictures, figures and texts go."""
    return run_folder / FOLDER_NAME / REPORT


def fresh_writer(
    folder: pathlib.Path, part: str, forget: bool
) -> tf.summary.SummaryWriter:
    """A writer whose own event files of earlier sessions are gone.

    Args:
      folder: Where to; created if need be.
      part: Ending of the file names, which tells the files of several writers apart.
      forget: Whether a TensorBoard that is already open shall forget the folder's old
        points, of all its parts, which it keeps in memory. This takes an event "session
        starts at step 0" in a file whose name sorts after the old files and before
        the new one, as TensorBoard reads them in that order.

    Returns:
      The writer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    old = list(folder.glob(f"events.out.tfevents.*.{part}"))
    for path in old:
        path.unlink()
    if old and forget:
        now = time.time()
        log = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        start = tf.compat.v1.Event(wall_time=now, step=0, session_log=log)
        version = tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2")
        # TensorBoard takes the first start of a folder for its beginning and forgets
        # at the second: two make sure.
        events = (version, start, start)
        name = f"events.out.tfevents.{int(now):010d}.!start.{part}"
        with tf.io.TFRecordWriter(str(folder / name)) as file:
            for event in events:
                file.write(event.SerializeToString())
    return tf.summary.create_file_writer(str(folder), filename_suffix=f".{part}")


@contextlib.contextmanager
def fresh_default(
    folder: pathlib.Path, part: str, forget: bool = False
) -> Iterator[None]:
    """Summaries of the body go into event files of a `fresh_writer`."""
    writer = fresh_writer(folder, part, forget)
    try:
        with writer.as_default():
            yield
    finally:
        writer.close()


def remove_stale(root: pathlib.Path, part: str, kept: Collection[str]) -> None:
    """Removes a part's event files of an earlier session.

    Args:
      root: Where to look, also in folders below.
      part: As `fresh_writer`.
      kept: Folders, relative to the root, whose files stay.
    """
    for path in root.rglob(f"events.out.tfevents.*.{part}"):
        if path.parent.relative_to(root).as_posix() not in kept:
            path.unlink()


def scalar(tag: str, value: float | None, step: int, description: str) -> None:
    """Adds a point to a curve of the default writer, if it is a finite number.

    Args:
      tag: Of the curve.
      value: None or not finite: no point.
      step: Where on the horizontal axis.
      description: Shown with the curve.
    """
    if value is not None and math.isfinite(value):
        tf.summary.scalar(tag, float(value), step=step, description=description)
