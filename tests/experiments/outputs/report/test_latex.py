"""The tables for a paper fit its page."""

import re

import pytest

from experiments.outputs.report import latex
from experiments.outputs.report.grid import Grid, Row

BLIND = "no better than a blind guess"
FOUR = "24.1, 25.0, 25.5, 19.9"
WIDTH_PT = 469.0
"""The text of a page of two columns in LaTeX's own article, the narrowest of the usual."""

SMALL_PT = 4.7
"""An average letter or digit of Computer Modern at 9 points."""

QUICKSTART = Grid(
    ("0 %", "1 %", "10 %", "50 %", "100 %"),
    tuple(
        Row(metric, attack, "attack", cells)
        for metric in ("magnitude, own", "random, public_seed")
        for attack, cells in {
            "idlg naive": (
                FOUR,
                f"{FOUR}; seen by SSIM 0.40",
                f"{FOUR}; 1 identified",
                f"{BLIND} ({FOUR})",
                f"{BLIND} ({FOUR})",
            ),
            "inverting_gradients mask-aware": (FOUR,) * 4 + ("does not apply [1]",),
            "best of each example in hindsight": (FOUR,) * 5,
            "blind guess, without the gradient": (FOUR,) * 5,
        }.items()
    ),
    ("does not apply: Something must be visible",),
)
AUDIT = Grid(
    ("0 %", "10 %", "50 %", "100 %"),
    tuple(
        Row("magnitude, own", f"{name} mask-aware", "attack", cells)
        for name in ("strongest", "feature_inversion_dct")
        for cells in [
            (
                "exact [exact, exact]; chose dense_inversion",
                "exact [exact, exact]; chose dense_inversion (5), feature_inversion (2)",
                "9.6 [7.4, 11.8]; chose dlg (1), imputation (5), idlg (1); 1 failed [1]",
                f"{BLIND} (9.8 [8.6, 10.3]); chose mean_picture (6), dlg (1)",
            )
        ]
    ),
    ("failed: out of memory",),
)
MANY = Grid(
    tuple(f"{10 * share} %" for share in range(11)),
    tuple(
        Row(
            "random, public_seed", f"attack_{number} mask-aware", "attack", (FOUR,) * 11
        )
        for number in range(30)
    ),
    (),
)


def set_text(cell):
    """What is printed of a cell, without commands."""
    text = re.sub(
        r"\\(raggedright|textit|textsuperscript|emph|multicolumn) ?", "", cell
    )
    return re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)[{}]", "", text)).strip()


@pytest.mark.parametrize(
    "grid", [QUICKSTART, AUDIT, MANY], ids=["run", "audit", "many"]
)
def test_it_is_no_wider_than_the_page(grid):
    made = latex.table(grid, "Title", "Legend.")
    gap = 2 * float(re.search(r"tabcolsep}{([\d.]+)\\textwidth}", made)[1])
    gap *= WIDTH_PT
    tabulars = re.findall(
        r"\\begin{tabular}{([^\n]*)}\n(.*?)\\end{tabular}", made, re.S
    )
    assert tabulars
    for form, body in tabulars:
        widths = [
            WIDTH_PT * float(one) for one in re.findall(r"p{([\d.]+)\\textwidth}", form)
        ]
        assert form.startswith("@{}p") and form.endswith("}@{}")
        assert sum(widths) + gap * (len(widths) - 1) <= WIDTH_PT + 0.5
        for line in body.split(r"\tabularnewline"):
            cells = line.split(" & ")
            if len(cells) < 2:
                continue
            assert len(cells) == len(widths)
            for cell, width in zip(cells, widths, strict=True):
                longest = max(map(len, set_text(cell).split()), default=0)
                assert longest * SMALL_PT <= width, cell


def test_what_stands_behind_numbers_stands_below():
    made = latex.table(AUDIT, "Title", "Legend.")
    above, _, below = made.partition(r"\end{tabular}")
    assert "chose" not in above and BLIND not in above.partition("tabular")[2]
    assert r"\textit{9.8 [8.6, 10.3]}\textsuperscript{d}" in above
    assert r"\textsuperscript{a} chose dense\_inversion; \textsuperscript{b}" in below
    # One note, whatever it has.
    assert below.count(r"\par}") == 1
    assert below.count("chose") == 4
    assert "11.8]" in above and "1 failed [1]" in above
    assert "[1] failed: out of memory" in below
    assert f"In italics: {BLIND}, on no example above it." in above


def test_a_caption_explains_only_what_its_table_has():
    few = latex.legend(QUICKSTART)
    assert "All values" in few and "Naive" in few and "reason" in few
    assert "Medians" not in few
    many = latex.legend(AUDIT)
    assert "Medians with [95 %" in many and "All values" not in many
    assert "Naive" not in many and "hindsight" not in many and "(smallest" not in many
    shared = Grid(
        ("0 %",), (Row("m", "dlg naive", "attack", ("9.8 (8.6, 10.3)",)),), ()
    )
    assert "Medians (smallest" in latex.legend(shared)
    assert "reason" not in latex.legend(shared)
    assert "italics" not in latex.table(shared, "Title", "Legend.")


def test_all_attacks_and_shares_are_there_and_a_page_is_not_too_high():
    made = latex.table(MANY, "Title", "Legend.")
    pages = made.split(r"\begin{table*}")[1:]
    assert [page.count("Legend.") for page in pages] == [1, 0, 0, 0, 0]
    assert all("Title, continued." in page for page in pages[1:])
    for number in range(30):
        name = rf"\raggedright attack\_{number} mask"
        assert sum(page.count(name) for page in pages) == 2
    assert made.count(r"100 \%") == len(pages) and made.count(FOUR) == 30 * 11
    assert (
        latex._mark(25) == "z" and latex._mark(26) == "aa" and latex._mark(27) == "ab"
    )
