"""The address of TensorBoard's first screen."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from experiments.outputs import tensorboard
from tests.experiments.outputs.event_files import tags
from tests.experiments.outputs.example_records import MEANING, example_rows


def meanings(rows):
    return {rows[0].context: MEANING}


def query(link):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))


def test_nothing_is_smoothed_and_the_figures_of_the_run_are_pinned(tmp_path):
    rows = example_rows()
    tensorboard.write_figures(tmp_path, rows)
    tensorboard.write_cards(tmp_path, rows, meanings(rows))
    asked = query(tensorboard.to_first_screen(rows, meanings(rows)))
    assert asked["smoothing"] == "0"
    cards = json.loads(asked["pinnedCards"])
    kinds = [card["tag"].partition("/")[0] for card in cards]
    assert kinds == ["1_in_words", "2_what_leaks", "3_what_it_costs"]
    # Plain TensorBoard sorts by name: they come before everything else there, too.
    assert sorted(tags(tmp_path / "tb" / "report"))[: len(cards)] == [
        card["tag"] for card in cards
    ]
    written = set(tags(tmp_path / "tb" / "report"))
    assert cards and {card["tag"] for card in cards} <= written
    assert {card["runId"] for card in cards} == {"defaultExperimentId/tb/report"}


def test_a_run_without_figures_pins_none():
    link = tensorboard.to_first_screen([], {})
    assert json.loads(query(link)["pinnedCards"]) == []


@pytest.mark.slow
def test_a_browser_shows_it_so(tmp_path, headless):
    rows = example_rows()
    tensorboard.write_figures(tmp_path, rows)
    tensorboard.write_cards(tmp_path, rows, meanings(rows))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    server = subprocess.Popen(
        f"{sys.executable} -m tensorboard.main --logdir {tmp_path} --host 127.0.0.1 "
        f"--port {port}".split(),
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"{address}data/plugin/timeseries/tags", "1_in_words")
        link = tensorboard.to_first_screen(rows, meanings(rows))
        page, _ = headless(link.replace("http://localhost:6006/", address))
    finally:
        server.terminate()
        server.wait()
    pinned = page.split("<metrics-pinned-view ")[1].split("</metrics-pinned-view")[0]
    cards = len(json.loads(query(link)["pinnedCards"]))
    assert pinned.count("<image-card ") == cards
    (value,) = re.findall(r'max="0.99" aria-valuetext="([\d.]+)"', page)
    assert float(value) == 0


def _wait(address, expected):
    for _ in range(120):
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                if expected in answer.read().decode():
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(1)
    pytest.fail(f"TensorBoard has no {expected} after two minutes.")
