"""The files of a report."""

import csv
import dataclasses
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from experiments.outputs import reconstructions, records, summary, tables
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import (
    folder,
    kept,
    latex,
    long_form,
    reading,
    writing,
)
from experiments.outputs.table import Table
from tests.experiments.outputs.example_records import attack, cell
from tests.experiments.outputs.report import folders
from tests.source_code import ROOT

MOST_BYTES = 6_000_000


class Reader(HTMLParser):
    """What a page loads, its text, and whether its tags are closed."""

    VOID = ("meta", "br", "img")

    def __init__(self):
        super().__init__()
        self.loaded, self.open, self.text, self.images = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        given = dict(attrs)
        self.loaded += [given[name] for name in ("src", "href") if name in given]
        if tag == "img":
            self.images.append(given)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def report(tmp_path, *paths):
    runs = [reading.read(path) for path in paths]
    writing.write(tmp_path / "out", runs, lambda modality: PICTURES)
    return tmp_path / "out"


@pytest.fixture(scope="module")
def one_run(tmp_path_factory):
    """A report of one run with pictures, and its page as read."""
    base = tmp_path_factory.mktemp("one")
    made = folders.found()
    path = folders.write(base / "run", made)
    folders.draw(path, made)
    out = report(base, path)
    page = Reader()
    page.feed((out / "report.html").read_text())
    return out, page, " ".join(" ".join(page.text).split())


def test_what_is_damaged_is_named_and_the_rest_is_shown(tmp_path):
    made = folders.found()
    path = folders.write(tmp_path / "run", made)
    folders.draw(path, made)
    attacked = next(one for one in made if hasattr(one, "attack"))
    broken = reconstructions.path_of(path, attacked.key)
    broken.write_bytes(broken.read_bytes()[:40])
    beside = ("sentences.json", "prediction.json", "predicted.json", "limits.json")
    for name in beside:
        (path / name).write_text('[{"half')
    runs = [reading.read(path)]
    writing.write(path, runs, lambda modality: PICTURES)
    page = (path / "report.html").read_text()
    assert f"Damaged in reconstructions: {broken.name}. Those examples" in page
    assert all(f"{name} is damaged" in page for name in beside)
    assert "30.0, 31.0, 32.0" in page and page.count("data:image/png") > 5


def test_the_page_is_one_file_that_loads_nothing(one_run):
    out, page, _ = one_run
    assert page.open == []
    assert page.loaded
    assert all(one.startswith("data:") for one in page.loaded)
    html = (out / "report.html").read_text()
    assert "default-src 'none'" in html
    assert (
        re.search(r"<(link|iframe|object|embed|base)\b", html.split("<main>")[0])
        is None
    )
    assert len(html.encode()) < MOST_BYTES


def test_the_page_and_the_tables_of_a_paper_say_what_the_data_are(one_run):
    out, _, text = one_run
    said = f"Data: {folders.ENVIRONMENT['data']}"
    assert said in text.split("What this means")[0]
    assert latex.escaped(said) in (out / "table.tex").read_text()


def test_the_page_has_what_was_measured_and_how(one_run):
    _, _, text = one_run
    for part in (
        "10 % hidden by random",
        "30.0 dB, 31.0 dB, 32.0 dB (3 examples of one seed)",
        "best of each example in hindsight",
        "python -m experiments.run '--flagfile=a b.flags'",
        "selenc-tf 0.1.0, commit 0123456789",
        "2 cores, a processor, CPU:0",
        "--attack_iterations=20",
        "no network is simulated",
        "honest but curious",
        "Who attacks: an honest-but-curious server, which has no key and knows the model",
        "what is visible of one client's message; labels are not told.",
        "all of them, in the order of examples or seeds",
        "What went wrong",
    ):
        assert (part in text) == (part != "What went wrong"), part


def test_pictures_are_named_as_records_and_files_name_them(one_run):
    out, page, text = one_run
    assert "mnist-5k 0, label 3, seed 0; hidden by random, public" in text
    alts = [one["alt"] for one in page.images]
    assert "original of mnist-5k 0, label 3, seed 0" in alts
    files = {path.name for path in (out.parent / "run" / "reconstructions").iterdir()}
    shown = [alt.split("; ")[-1] for alt in alts if alt.endswith(".npy")]
    assert len(shown) == 9
    assert set(shown) <= files


def test_figures_have_the_medians_and_equal_axes(one_run):
    out, _, _ = one_run
    (block,) = re.findall(
        r'<script type="application/json">(.*?)</script>',
        (out / "report.html").read_text(),
    )
    drawn = json.loads(block)
    best = next(
        one
        for one in drawn["data"]
        if one["name"] == "random, public: best of each example in hindsight"
    )
    assert best["x"] == [0, 10, 100]
    assert best["y"][1:] == [31.0, 7.0]
    assert best["y"][0] == pytest.approx(58.92, abs=0.01)
    assert best["line"].get("shape", "linear") == "linear"
    assert drawn["layout"]["yaxis"]["range"] == drawn["layout"]["yaxis2"]["range"] or (
        drawn["layout"]["yaxis2"]["matches"] == "y"
    )


def test_several_runs_stand_side_by_side_or_are_seeds_of_one(tmp_path):
    seeds = [
        folders.write(tmp_path / f"s{seed}", folders.found(seed), seed)
        for seed in (0, 1)
    ]
    other = folders.write(tmp_path / "o", folders.found(), attack_iterations=500)
    out = report(tmp_path, *seeds, other)
    page = Reader()
    page.feed((out / "report.html").read_text())
    text = " ".join(" ".join(page.text).split())
    assert "31.0 dB each time (medians of 2 seeds, 3 examples)" in text
    assert "Settings: --attack_iterations=500" in text
    assert "s0, s1: mnist-5k, lenet" in text
    assert "o: mnist-5k, lenet" in text
    assert "31.0 dB, 32.0 dB (3 examples of one seed)" in text


def test_what_is_wrong_with_a_run_stands_on_top(tmp_path):
    made = folders.found()
    path = folders.write(tmp_path / "run", made[:10], planned=made)
    out = report(tmp_path, path)
    html = (out / "report.html").read_text()
    assert "Unfinished: 10 of 18 attacks" in html.split('id="meaning"')[0]


def test_what_makes_a_model_look_protected_stands_on_top(tmp_path):
    details = {
        "without_draws": True,
        "batch_statistics": True,
        "loss_guessed": "mean_squared_error",
    }
    made = [attack(0, details=details)]
    out = report(tmp_path, folders.write(tmp_path / "run", made))
    top = (out / "report.html").read_text().split('id="answer"')[0]
    for words in (
        "not given the clients&#39; draws (dropout masks, noise)",
        "with the statistics of their batch",
        "its loss was taken to be mean_squared_error",
    ):
        assert words in top
    plain = report(tmp_path / "b", folders.write(tmp_path / "plain", [attack(0)]))
    top = (plain / "report.html").read_text().split('id="answer"')[0]
    assert 'role="note"' not in top


def test_names_are_text_and_no_markup(tmp_path):
    strange = attack(0, attack="<b>x</b>", details={"ciphertext_bytes": 1})
    out = report(tmp_path, folders.write(tmp_path / "r<i>", [strange]))
    html = (out / "report.html").read_text()
    assert "<b>x</b>" not in html
    assert "<i>" not in html.split("<script>")[0]


def test_a_run_without_attacks_says_nothing_of_leakage(tmp_path):
    made = [one for one in folders.found() if not hasattr(one, "attack")]
    out = report(tmp_path, folders.write(tmp_path / "run", made))
    html = (out / "report.html").read_text()
    assert "nothing is said of what leaks" in html
    assert "A training round: mnist-5k, lenet, reveal_aggregate, 8 clients" in html


def test_the_long_form_has_a_row_for_each_example_attack_and_mask(one_run):
    out, _, _ = one_run
    rows = list(csv.DictReader(io.StringIO((out / "cells.csv").read_text())))
    assert len(rows) == 18
    assert list(rows[0]) == list(long_form.COLUMNS)
    row = next(
        one
        for one in rows
        if (one["asked"], one["example"], one["attacker"]) == ("0.1", "2", "mask_aware")
    )
    assert (row["leak"], row["exact"], row["share"]) == ("32.0", "0", "0.1")
    assert (row["cipher_bytes"], row["clear_bytes"]) == ("160", "360")
    assert (out.parent / "run" / "reconstructions" / row["file"]).exists()
    assert {one["exact"] for one in rows if one["leak"] == "72.0"} == {"1"}


def test_the_tables_of_a_paper_say_what_exact_is(one_run):
    out, _, _ = one_run
    assert "exact = closer than rounding to 8 bits" in (out / "table.tex").read_text()


def test_what_no_run_knows_is_missing_stands_on_top(tmp_path):
    path = folders.write(tmp_path / "run", folders.found())
    said = "Not begun: seed 1. The same command goes on."
    writing.write(tmp_path, [reading.read(path)], lambda modality: PICTURES, [said])
    html = (tmp_path / "report.html").read_text()
    assert said in html.split('id="answer"')[0]


def test_figures_for_a_paper_are_the_same_every_time(one_run, tmp_path):
    out, _, _ = one_run
    again = report(tmp_path, out.parent / "run")
    first = sorted((out / "figures").iterdir())
    assert [path.suffix for path in first] == [".pdf", ".svg"]
    assert first[0].read_bytes()[:5] == b"%PDF-"
    for path in first:
        assert path.read_bytes() == (again / "figures" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("50 % a_b", r"50 \% a\_b"), ("\\{", r"\textbackslash{}\{"), ("é", "?")],
)
def test_latex_is_escaped(text, expected):
    assert latex.escaped(text) == expected


def test_the_tables_compile(tmp_path):
    engine = shutil.which("tectonic") or shutil.which("pdflatex")
    if engine is None:
        pytest.skip("No LaTeX here: install texlive-latex-recommended or tectonic.")
    made = [
        *folders.found(),
        attack(
            0,
            attack="odd_{name}$&#~^\\",
            status="failed",
            reason='<"|[%] of everything',
            objective=None,
            measures={},
        ),
    ]
    out = report(tmp_path, folders.write(tmp_path / "run", made))
    document = (
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}"
        "\\input{table.tex}\\end{document}"
    )
    (out / "paper.tex").write_text(document)
    options = (
        [] if "tectonic" in engine else ["-interaction=nonstopmode", "-halt-on-error"]
    )
    done = subprocess.run(
        [engine, *options, "paper.tex"], cwd=out, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (out / "paper.pdf").stat().st_size > 1000


def test_files_of_others_are_not_overwritten(tmp_path):
    path = folders.write(tmp_path / "run", folders.found())
    folder.check(path, [path])
    folder.check(tmp_path / "new", [path])
    mine = tmp_path / "paper"
    mine.mkdir()
    (mine / "table.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"has table\.tex and no report of ours"):
        folder.check(mine, [path])
    folder.check(report(tmp_path, path), [path])


def test_one_mask_is_no_curve(tmp_path):
    out = report(tmp_path, folders.write(tmp_path / "run", [attack(0), attack(1)]))
    assert "Too few masks have numbers for a curve" in (out / "report.html").read_text()
    assert not (out / "figures").exists()


def test_the_columns_are_documented_as_they_are():
    documented = (ROOT / "docs/results.md").read_text()
    rows = [f"| `{name}` | {says} |" for name, says in long_form.COLUMNS.items()]
    assert "\n".join(rows) in documented


def test_sentences_are_shown_as_the_run_kept_them(tmp_path):
    path = folders.write(tmp_path / "run", [attack(0)])
    rows = [("10", "a <b> was here", "a «x» was")]
    kept.save(
        path / kept.SENTENCES,
        [Table("Sentences", ("Encr.", "Original", "Recovered"), rows)],
    )
    html = (report(tmp_path, path) / "report.html").read_text()
    assert "run: Sentences" in html
    recovered = '<td class="text" data-label="Recovered">a «x» was</td>'
    assert f"a &lt;b&gt; was here</td>{recovered}" in html


def test_what_is_published_is_hidden_by_nothing_on_any_screen(tmp_path):
    made = [
        attack(image, cell=cell(1.0), target="aggregate", batch_size=2)
        for image in range(2)
    ]
    path = folders.write(tmp_path / "run", made)
    folders.draw(path, made)
    out = report(tmp_path, path)
    html = (out / "report.html").read_text()
    said = "what is published, whatever was encrypted on the way"
    assert f"seed 0; {said}" in html and "<b>published</b>" in html
    assert said in html[html.index("<caption>") : html.index("</caption>")]
    assert said in (out / "table.tex").read_text()


def test_reasons_of_a_paper_have_what_points_to_them(tmp_path):
    """Rows of attacks that another one tried are left out, and so are their reasons."""
    without = {"status": "does_not_apply", "measures": {}, "objective": None}
    member = records.MemberRecord(
        "dlg", "does_not_apply", "of a member.", {}, None, None, 1
    )
    made = [
        attack(0, attack="strongest", chosen="idlg", members=(member,)),
        attack(0, attack="tv", reason="of an attack.", **without),
    ]
    out = report(tmp_path, folders.write(tmp_path / "run", made))
    text = (out / "table.tex").read_text()
    assert "of an attack" in text and "of a member" not in text
    (number,) = re.findall(r"\[(\d)\] does not apply", text)
    assert f"does not apply [{number}]" in text


def test_recovered_rows_of_a_table_name_their_file(tmp_path):
    made = [attack(0, cell=cell(0.0))]
    path = folders.write(tmp_path / "run", made)
    reconstructions.save(path, made[0].key, np.zeros([8], np.float32))
    reconstructions.save_original(path, 0, np.zeros([8], np.float32))
    out = report(tmp_path, path)
    name = reconstructions.path_of(path, made[0].key).name
    assert f"reconstructions/ ({name}, for example" in (out / "report.html").read_text()


def test_each_share_has_a_line_of_its_own(tmp_path):
    out = report(tmp_path, folders.write(tmp_path / "run", folders.found()))
    html = (out / "report.html").read_text().replace("\u00a0", " ")
    assert "<li>Hidden by random, at untrained weights: with 10 % hidden" in html
    assert "<li>How sure:" in html


def test_a_cipher_that_encrypts_nothing_has_no_factor_of_bytes(tmp_path):
    made = [
        dataclasses.replace(one, details={**one.details, "stop": "tolerance"})
        if isinstance(one, records.AttackRecord)
        else one
        for one in folders.found()
    ]
    said = (
        "Bytes and time: not measured (nothing was encrypted: "
        "--cipher=identity_INSECURE)."
    )
    for cipher, encrypts in (("identity_INSECURE", False), ("lattice", True)):
        path = folders.write(tmp_path / cipher, made, cipher=cipher)
        runs = [reading.read(path)]
        writing.write(path, runs, lambda _: PICTURES)
        (text,) = writing.in_words(runs, lambda _: PICTURES)
        assert ("bytes of a clear one" in text) == encrypts
        assert ("uploads of a training round" in text) == encrypts
        assert (said in text) != encrypts
        lines = csv.DictReader(io.StringIO((path / "cells.csv").read_text()))
        assert {line["cipher"] for line in lines} == {cipher}
        rows = summary.summarise(runs[0].records)
        assert {row.cipher for row in rows} == {cipher}
        factors = {row.cost.relative_bytes is not None for row in rows}
        assert (True in factors) == encrypts
        stream = io.StringIO()
        tables.print_tables(rows, stream, 120)
        assert (said in " ".join(stream.getvalue().split())) != encrypts


def test_a_look_up_is_better_by_nothing_in_the_cells(tmp_path):
    of = {"blind": 12.0, "psnr": 30.0}
    made = [
        attack(0, attack="retrieval", **of),
        attack(0, attack="strongest", chosen="retrieval", **of),
        attack(0, attack="dlg", **of),
    ]
    out = report(tmp_path, folders.write(tmp_path / "run", made))
    with (out / "cells.csv").open() as file:
        found = {row["attack"]: row["better_by"] for row in csv.DictReader(file)}
    assert found == {"retrieval": "", "strongest": "", "dlg": "psnr_db"}
