"""Bytes that fall as more is hidden look like an error, so it is said why they do."""

import dataclasses
import io

from experiments.outputs import blocks, summary, tables
from experiments.outputs.blocks import Sent
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import reading, writing
from tests.experiments.outputs.example_records import attack, cell, rounds
from tests.experiments.outputs.report import folders


def sent(share, ciphertext, clear, metric="random"):
    return Sent(metric, share, f"{100 * share:g} %", ciphertext, clear)


def test_only_a_stretch_with_one_size_of_the_ciphertext_is_explained():
    made = [
        sent(share, size, clear, metric)
        for metric in ("random", "magnitude")
        for share, size, clear in (
            (0.1, 200, 360),
            (0.0, 200, 400),
            (0.01, 200, 396),
            (0.5, 600, 200),
            (1.0, 900, 0),
        )
    ]
    (line,) = blocks.falls(made)
    assert line.startswith("Bytes fall from 0 % to 10 % hidden (random, magnitude)")
    assert "here 200 bytes at each of these shares" in line
    # Fewer bytes for another reason are not explained by this one.
    assert not list(blocks.falls([sent(0.0, 200, 400), sent(0.1, 100, 360)]))
    assert not list(blocks.falls([sent(0.0, 0, 400), sent(0.1, 200, 360)]))


def records():
    made = []
    for ratio in (0.01, 0.1):
        made.append(attack(0, cell=cell(ratio), details={"ciphertext_bytes": 200}))
        trained = cell(ratio, release="reveal_aggregate")
        clear = round(400 * (1 - ratio))
        made += [
            dataclasses.replace(one, ciphertext_bytes=1000, plaintext_bytes=clear)
            for one in rounds(trained, 1.0, 1000 + clear, round(100 * ratio))
        ]
    return made


def test_the_terminal_and_the_report_say_it_beside_the_bytes(tmp_path):
    stream = io.StringIO()
    tables.print_tables(summary.summarise(records()), stream, 80)
    shown = " ".join(stream.getvalue().split())
    assert "Bytes fall from 1 % to 10 % hidden (random), which is no error" in shown
    path = folders.write(tmp_path / "run", records())
    writing.write(path, [reading.read(path)], lambda modality: PICTURES)
    page = (path / "report.html").read_text()
    # Beside the figure over bytes, and below the tables.
    for what in ("a message, random, public", "a round&#39;s uploads, random, public"):
        assert page.count(f"from 1 % to 10 % hidden ({what})") == 2
