"""What searches say of themselves is kept and drawn."""

import itertools
import json
import math

import pytest

from attacks import catalog as attack_catalog
from experiments.outputs import figures, files, searches
from experiments.outputs.searches import Point
from tests.experiments.outputs import example_records


def key(**changes):
    return example_records.attack(0, **changes).key


def test_an_observer_keeps_what_was_said_since():
    observer = searches.Observer()
    observer(0, 10, 3.0)
    observer(1, 5, 2.0)
    observer(1, 6, math.nan)
    assert observer.take() == (Point(0, 10, 3.0), Point(1, 5, 2.0))
    assert observer.take() == ()


def test_long_searches_are_thinned_out():
    observer = searches.Observer()
    for iteration in range(10_001):
        observer(0, iteration, 1.0 + iteration)
    taken = observer.take()
    assert 100 <= len(taken) <= 200
    gaps = {b.iteration - a.iteration for a, b in itertools.pairwise(taken)}
    assert len(gaps) == 1 and taken[0].iteration == 0


def test_what_is_kept_comes_back(tmp_path):
    assert searches.load(tmp_path) == ()
    points = (Point(0, 10, 3.5), Point(0, 20, 0.25))
    with files.LineAppender(tmp_path / searches.FILE_NAME) as lines:
        lines.append(searches.line_of(key(), points))
    (found,) = searches.load(tmp_path)
    assert found.points == points
    assert found.metric == "random" and found.ratio == 0.1
    # Cut off by a kill: what is whole stays.
    path = tmp_path / searches.FILE_NAME
    path.write_bytes(path.read_bytes() + b'{"title": "x')
    assert searches.load(tmp_path) == (found,)


def drawn_lines(figure):
    return [
        (axis.get_title(), line.get_xdata(), line.get_ydata())
        for axis in figure.axes
        if axis.get_visible()
        for line in axis.lines
    ]


def test_a_panel_for_each_mask_and_a_line_for_each_start():
    lines = [
        json.loads(json.dumps(searches.line_of(key(cell=cell), points)))
        for cell, points in (
            (example_records.cell(0.1), [Point(0, 1, 4.0), Point(0, 2, 2.0)]),
            (example_records.cell(0.5), [Point(0, 1, 8.0), Point(1, 1, 6.0)]),
        )
    ]
    found = [searches.search_of(one) for one in lines]
    ((title, group),) = searches.by_title(found).items()
    assert "attack on the client" in title
    figure = searches.figure(group)
    panels = drawn_lines(figure)
    assert [name for name, *_ in panels] == ["10 % by random"] + ["50 % by random"] * 2
    assert list(panels[0][1]) == [1, 2] and list(panels[0][2]) == [4.0, 2.0]
    assert [list(y) for *_, y in panels[1:]] == [[8.0], [6.0]]


@pytest.mark.parametrize(
    "ratios",
    [(0.5,), pytest.param((0.0, 0.1, 0.2, 0.5, 0.9), marks=pytest.mark.slow)],
)
def test_as_many_attacks_as_there_are_leave_room_for_the_panels(ratios):
    group = [
        searches.Search(
            "a picture of the first client in round 0, whatever its title says",
            "random",
            ratio,
            f"{attack} mask-aware",
            (Point(0, 1, 4.0), Point(0, 2, 2.0)),
        )
        for attack in attack_catalog.ATTACKS
        for ratio in ratios
    ]
    figure = searches.figure(group)
    # A warning about the layout would be an error here.
    figures.to_png(figure)
    _, inches = figure.get_size_inches()
    heights = [
        axis.get_position().height * inches
        for axis in figure.axes
        if axis.get_visible()
    ]
    assert min(heights) > 1.2
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(looks) == len(attack_catalog.ATTACKS)
    (legend,) = figure.legends
    assert legend.get_window_extent().width < figure.bbox.width


def test_what_said_nothing_is_in_no_figure():
    silent = searches.Search("t", "random", 0.1, "r_gap naive", ())
    assert searches.by_title([silent]) == {}
