import io
import os
import pty
import threading

import pytest

from experiments.outputs import progress


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_progress_without_a_terminal_prints_a_line_now_and_then():
    stream, clock = io.StringIO(), Clock()
    with progress.progress("cells", 10, stream, 4, 30.0, clock) as shown:
        for item in range(6):
            shown.start(f"item {item}", 5)
            for step in range(1, 6):
                clock.now += 4.0
                shown.step(step, "loss [1]")
            shown.finish()
    lines = stream.getvalue().splitlines()
    assert 4 <= len(lines) <= 7
    assert lines[0] == "cells: 4/10: item 0"
    assert "item 1, step 3/5, loss [1]" in lines[1]
    # 20 seconds an item, of which earlier sessions' four do not count.
    assert lines[1].startswith("cells: 5/10, about 0:02:40 left")
    assert lines[-1] == "cells: 10/10 done in 0:02:00"
    assert "\x1b" not in stream.getvalue()


def test_ctrl_c_goes_through_and_leaves_a_last_line():
    stream = io.StringIO()
    with (
        pytest.raises(KeyboardInterrupt),
        progress.progress("cells", 3, stream) as shown,
    ):
        shown.start("first")
        shown.finish()
        raise KeyboardInterrupt
    assert stream.getvalue().splitlines()[-1].startswith("cells: 1/3 done in")


def test_on_a_terminal_there_are_bars_and_the_cursor_comes_back(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    main, other = pty.openpty()
    output = b""

    def read():
        nonlocal output
        while True:
            try:
                chunk = os.read(main, 4096)
            except OSError:
                return
            if not chunk:
                return
            output += chunk

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(other, "w") as terminal, pytest.raises(KeyboardInterrupt):
        with progress.progress("cells", 4, terminal, done=1) as shown:
            shown.start("lenet [x]", 10)
            shown.step(7, "loss 0.5")
            shown.say("a [bold] note")
            shown.finish()
            raise KeyboardInterrupt
    reader.join(timeout=5)
    os.close(main)
    assert b"2/4" in output
    assert b"a [bold] note" in output
    assert output.rfind(b"\x1b[?25h") > output.rfind(b"\x1b[?25l")


def test_a_part_without_work_says_nothing():
    stream = io.StringIO()
    with progress.of_part("trainings", 3, 0, stream) as display:
        display.start("one")
        display.step(1)
        display.finish()
        display.say("never")
    assert stream.getvalue() == ""
    with progress.of_part("attacks", 3, 1, stream) as display:
        display.start("one")
        display.finish()
    assert stream.getvalue().splitlines()[-1].startswith("attacks: 3/3 done in")
