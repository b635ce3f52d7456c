"""Figures for a paper."""

import pytest

from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import paper
from experiments.outputs.report.curves import Curve, Point


@pytest.mark.parametrize("names", [1, 9, pytest.param(54, marks=pytest.mark.slow)])
def test_names_leave_room_for_the_curves(names):
    points = tuple(
        Point(p, None, h, h - 1, h + 1, (), "") for p, h in [(0, 40), (50, 20)]
    )
    curves = [Curve(f"metric {at}", "an attack", True, points) for at in range(names)]
    figure = paper.figure(curves, PICTURES, (0.0, 60.0))
    # A warning about the layout would be an error here.
    paper.to_svg(figure)
    (axis,) = figure.axes
    _, inches = figure.get_size_inches()
    assert axis.get_position().height * inches > 1.8
