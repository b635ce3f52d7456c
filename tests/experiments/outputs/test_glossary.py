"""Every word of a legend has a line, where it is shown."""

import io

from attacks import words
from experiments.outputs import glossary, summary, tables
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import reading, writing
from experiments.study import protocols
from selenc_tf import catalog
from tests.experiments.outputs.example_records import attack, cell, rounds
from tests.experiments.outputs.report import folders


def test_every_name_that_results_have_is_explained():
    names = {*catalog.METRICS, *protocols.PROTOCOLS, protocols.OWN, *words.MODES}
    names |= {"server_blind", "reveal_aggregate", "plain"}
    found = dict(glossary.of(names))
    assert {name.replace("_aware", "-aware") for name in names} == set(found)
    assert all("\n" not in line and len(line) < 80 for line in found.values())


def test_what_is_used_is_explained_on_the_terminal_and_the_page(tmp_path):
    trained = cell(agreement="previous_aggregate", release="reveal_aggregate")
    made = [attack(0, cell=cell(agreement="own")), *rounds(trained, 1.0, 5, 0)]
    stream = io.StringIO()
    tables.print_tables(summary.summarise(made), stream, 80)
    shown = " ".join(stream.getvalue().split())
    expected = ("random", "own", "previous_aggregate", "server_blind")
    for name in expected:
        assert f"{name}: {glossary.WORDS[name]}" in shown
    assert "union" not in shown
    path = folders.write(tmp_path / "run", made)
    writing.write(path, [reading.read(path)], lambda modality: PICTURES)
    page = (path / "report.html").read_text()
    first = page[: page.index('id="frontier"')].replace("&#39;", "'")
    for name in (*expected, "mask-aware"):
        assert f"<b>{name}</b>: {glossary.WORDS[name]}" in first
