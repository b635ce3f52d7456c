"""The page as a browser shows it: drawn without a network, with the numbers of the run."""

import re

import pytest

from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import reading, writing
from tests.experiments.outputs.report import folders

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shown(tmp_path_factory, headless):
    """The page after its scripts have run, and what the browser complained of."""
    folder = tmp_path_factory.mktemp("page")
    made = folders.found(images=range(10))
    path = folders.write(folder / "run", made)
    folders.draw(path, made)
    writing.write(path, [reading.read(path)], lambda modality: PICTURES)
    return headless(f"file://{path / 'report.html'}")


def test_no_script_fails_and_nothing_is_refused(shown):
    _, complaints = shown
    console = [line for line in complaints.splitlines() if "CONSOLE" in line]
    assert console == []


def test_what_is_drawn_is_what_was_measured(shown):
    elements, _ = shown
    # The first trace of the first figure: the best in hindsight of 0, 10 and 100 %.
    trace = elements.split('<g class="trace scatter')[1]
    places = [
        tuple(float(part) for part in found)
        for found in re.findall(
            r'<path class="point"[^>]*transform="translate\(([\d.-]+),([\d.-]+)\)',
            trace,
        )
    ]
    across, up = zip(*places[:3], strict=True)
    assert (across[1] - across[0]) / (across[2] - across[0]) == pytest.approx(0.1, 0.02)
    # Medians of ten: exact, drawn at 58.9 dB; 34.5 dB; 10.5 dB. Down is up on a screen.
    expected = (58.92 - 34.5) / (58.92 - 10.5)
    assert (up[1] - up[0]) / (up[2] - up[0]) == pytest.approx(expected, rel=0.02)
    assert "% of the entries really hidden" in elements
    assert "bytes of one client's message" in elements


def test_the_first_screen_and_the_table_have_the_numbers(shown):
    elements, _ = shown
    assert "median 34.5 dB (95 % interval 31.0 dB to 38.0 dB; 10 examples" in elements
    row = re.search(r"<tr class=\"hindsight\">.*?</tr>", elements, re.S)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row.group())
    assert cells == ["exact [exact, exact]", "34.5 [31.0, 38.0]", "10.5 [7.0, 14.0]"]


MEASURE = """<script>addEventListener("load", () => {
const cells = [...document.querySelectorAll(".wide td")];
const lines = cells.map(cell => {
  const range = document.createRange(); range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map(one => Math.round(one.top))).size; });
document.body.dataset.page = document.documentElement.scrollWidth;
document.body.dataset.lines = Math.max(...lines);
document.body.dataset.cut = [...document.querySelectorAll(".wide")].filter(
  one => one.scrollWidth > one.clientWidth + 1).length;
});</script></body>"""


@pytest.mark.parametrize("width", [600, 1280])
def test_tables_are_whole_on_a_narrow_screen_and_roomy_on_a_wide_one(
    tmp_path, headless, width
):
    """The page is no wider than the screen, no cell a tower; on a narrow one all fit."""
    made = folders.found(images=range(5))
    path = folders.write(tmp_path / "run", made)
    writing.write(path, [reading.read(path)], lambda modality: PICTURES)
    page = (path / "report.html").read_text().replace("</body>", MEASURE)
    (path / "measured.html").write_text(page)
    elements, _ = headless(f"file://{path / 'measured.html'}", width)
    found = {
        name: int(re.search(rf'data-{name}="(\d+)"', elements).group(1))
        for name in ("page", "lines", "cut")
    }
    assert found["page"] <= width
    assert found["lines"] <= 3
    assert found["cut"] == 0 or width > 600
