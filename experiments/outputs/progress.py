"""How far a run is: two bars on a terminal, an occasional line anywhere else."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TextIO

import rich.console
import rich.progress


class Progress(Protocol):
    """What work reports to. The whole is made of items, an item of steps."""

    def start(self, item: str, steps: int | None = None) -> None:
        """Begins an item.

        Args:
          item: What it is, in a few words.
          steps: How many steps it has, or None if that is not known.
        """

    def step(self, done: int, note: str = "") -> None:
        """Says how many steps of the item are done.

        Args:
          done: Number of steps.
          note: A few words on the state, for example the loss.
        """

    def finish(self) -> None:
        """Ends the item: one more of the whole is done."""

    def say(self, text: str) -> None:
        """Prints a line that stays, above the bars."""


@contextlib.contextmanager
def progress(
    description: str,
    total: int,
    stream: TextIO,
    done: int = 0,
    every_seconds: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Shows progress while the body runs.

    However the body ends, by Ctrl-C too, the terminal gets its cursor back, and the
    exception goes on.

    Args:
      description: What the whole is.
      total: Number of items, those of earlier sessions included.
      stream: Where to. Bars if it is a terminal, else a line at most every
        `every_seconds` and one at the end.
      done: Number of items that earlier sessions finished.
      every_seconds: Least time between two lines.
      clock: Seconds from any fixed moment.

    Yields:
      What the work reports to.
    """
    console = rich.console.Console(file=stream, highlight=False)
    if not console.is_terminal:
        lines = _Lines(description, total, stream, done, every_seconds, clock)
        try:
            yield lines
        finally:
            lines.end()
        return
    with rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(bar_width=None),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TimeRemainingColumn(),
        console=console,
        expand=True,
    ) as display:
        yield _Bars(display, description, total, done)


@contextlib.contextmanager
def of_part(
    description: str, total: int, left: int, stream: TextIO
) -> Iterator[Progress]:
    """The progress of a part of a run; nothing is shown of one that has nothing to do.

    Args:
      description: What its items are.
      total: Number of items, those of earlier sessions included.
      left: Of them, those that are not done.
      stream: As in `progress`.

    Yields:
      What the work reports to.
    """
    if not left:
        yield _Nothing()
        return
    with progress(description, total, stream, done=total - left) as display:
        yield display


class _Nothing:
    """Shows nothing."""

    def start(self, item: str, steps: int | None = None) -> None: ...

    def step(self, done: int, note: str = "") -> None: ...

    def finish(self) -> None: ...

    def say(self, text: str) -> None: ...


class _Bars:
    """Two bars of `rich`: the whole and the current item."""

    def __init__(
        self, display: rich.progress.Progress, description: str, total: int, done: int
    ) -> None:
        self._display = display
        self._whole = display.add_task(_escape(description), total=total)
        # Set afterwards, so that the speed counts this session's items only.
        display.update(self._whole, completed=done)
        self._item = display.add_task("", total=None, visible=False)
        self._name = ""

    def start(self, item: str, steps: int | None = None) -> None:
        self._name = item
        self._display.reset(
            self._item, total=steps, visible=True, description=f"  {_escape(item)}"
        )

    def step(self, done: int, note: str = "") -> None:
        text = f"{self._name}, {note}" if note else self._name
        self._display.update(
            self._item, completed=done, description=f"  {_escape(text)}"
        )

    def finish(self) -> None:
        self._display.update(self._item, visible=False)
        self._display.advance(self._whole)

    def say(self, text: str) -> None:
        self._display.console.print(text, markup=False)


class _Lines:
    """Plain lines for log files and pipes."""

    def __init__(
        self,
        description: str,
        total: int,
        stream: TextIO,
        done: int,
        every_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._description = description
        self._total = total
        self._stream = stream
        self._done = self._done_before = done
        self._every_seconds = every_seconds
        self._clock = clock
        self._began = clock()
        self._last: float | None = None
        self._item = ""
        self._steps: int | None = None

    def start(self, item: str, steps: int | None = None) -> None:
        self._item, self._steps = item, steps
        self._line(item)

    def step(self, done: int, note: str = "") -> None:
        of = f"/{self._steps}" if self._steps is not None else ""
        self._line(f"{self._item}, step {done}{of}{f', {note}' if note else ''}")

    def finish(self) -> None:
        self._done += 1

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def end(self) -> None:
        elapsed = _clock_time(self._clock() - self._began)
        self.say(f"{self._description}: {self._done}/{self._total} done in {elapsed}")

    def _line(self, text: str) -> None:
        now = self._clock()
        if self._last is not None and now - self._last < self._every_seconds:
            return
        self._last = now
        finished = self._done - self._done_before
        left = ""
        if finished:
            seconds = (now - self._began) / finished * (self._total - self._done)
            left = f", about {_clock_time(seconds)} left"
        self.say(f"{self._description}: {self._done}/{self._total}{left}: {text}")


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _escape(text: str) -> str:
    """Keeps `rich` from reading square brackets as styles."""
    return text.replace("[", r"\[")
