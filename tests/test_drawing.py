"""The drawing of the rooms in `docs/architecture.md` is what the code is."""

import re
from typing import NamedTuple

import pytest

from tests import documents, source_code
from tests.source_code import PACKAGES, ROOT


class Line(NamedTuple):
    """One line of the drawing.

    Attributes:
      package: Which it belongs to.
      rooms: Folders, with a slash at their end, and files at the package's root.
      uses: A room of every line that it points to.
    """

    package: str
    rooms: tuple[str, ...]
    uses: tuple[str, ...]


def drawing():
    """The blocks of the document as text, a package each."""
    (block,) = documents.blocks((ROOT / "docs/architecture.md").read_text(), "rooms")
    return block


def lines_of(text):
    """The lines of a drawing; what is indented deeply goes on with the line before."""
    package, found = "", []
    for line in re.sub(r"\n {20,}", " ", text).splitlines():
        left, _, right = line.partition("->")
        if line.strip() and not line.startswith(" "):
            package = left.split()[0].rstrip("/")
        elif line.strip():
            found.append(Line(package, tuple(left.split()), tuple(right.split())))
    return found


def packages_of(text):
    """What the head lines of a drawing say: which package uses which others."""
    heads = [line.partition("->") for line in text.splitlines() if line[:1].strip()]
    return {left.strip().rstrip("/"): set(right.split()) for left, _, right in heads}


def line_with(lines, package, room):
    """The only line of a package that has a room."""
    found = [one for one in lines if one.package == package and room in one.rooms]
    if len(found) != 1:
        raise AssertionError(f"{package}/{room} stands on {len(found)} lines.")
    return found[0]


def room_of(lines, module):
    """The line with the narrowest room that holds a module, or `None`."""
    package, *inner = module.removesuffix(".__init__").split(".")
    for length in range(len(inner), 0, -1):
        folder = "/".join(inner[:length]) + "/"
        for line in lines:
            if line.package == package and (
                folder in line.rooms
                or (length == len(inner) == 1 and inner[0] in line.rooms)
            ):
                return line
    return None


def drawn(lines):
    """The arrows of a drawing, by the first rooms of its lines."""
    return {
        (line.package, line.rooms[0], line_with(lines, line.package, use).rooms[0])
        for line in lines
        for use in line.uses
    }


def real(lines, pairs):
    """The arrows between modules, by the lines that they stand on."""
    placed = ((room_of(lines, one), room_of(lines, other)) for one, other in pairs)
    return {
        (one.package, one.rooms[0], other.rooms[0])
        for one, other in placed
        if one and other and one != other and one.package == other.package
    }


def upward(lines):
    """The lines that use one which is not below them."""
    return [
        line
        for place, line in enumerate(lines)
        for use in line.uses
        if lines.index(line_with(lines, line.package, use)) <= place
    ]


def test_every_arrow_is_drawn_and_every_drawn_arrow_is_there():
    lines = lines_of(drawing())
    expected, found = real(lines, source_code.arrows()), drawn(lines)
    assert sorted(expected - found) == [], "not drawn"
    assert sorted(found - expected) == [], "drawn, but not there"


def test_arrows_point_down():
    assert upward(lines_of(drawing())) == []


def test_every_module_has_a_room():
    lines = lines_of(drawing())
    faces = {f"{package}.__init__" for package in PACKAGES}
    homeless = {
        module
        for module in source_code.modules()
        if room_of(lines, module) is None and module not in faces
    }
    # The face of a folder whose rooms are drawn one by one.
    homeless -= {"attacks.pictures.__init__"}
    # What makes TFF importable belongs to the face of its package.
    assert homeless == {"federated.allocator", "federated.tensorflow_privacy_import"}


def test_packages_use_each_other_as_drawn():
    used = {package: set() for package in PACKAGES}
    for one, other in source_code.arrows():
        used[one.split(".")[0]].add(other.split(".")[0])
    found = {package: names - {package} for package, names in used.items()}
    assert found == packages_of(drawing())


SMALL = """
p/ -> q
  top          -> a/ words
  a/ -> words
  words more
q/
"""


def test_a_small_drawing_is_read():
    assert lines_of(SMALL) == [
        Line("p", ("top",), ("a/", "words")),
        Line("p", ("a/",), ("words",)),
        Line("p", ("words", "more"), ()),
    ]
    assert packages_of(SMALL) == {"p": {"q"}, "q": set()}
    pairs = {("p.top", "p.a.x"), ("p.a.x", "p.a.y"), ("p.a.b.x", "p.more")}
    assert real(lines_of(SMALL), pairs) == {("p", "top", "a/"), ("p", "a/", "words")}
    assert upward(lines_of(SMALL)) == []


@pytest.mark.parametrize("text", ["p/\n  a/ -> b/\n  b/ -> a/", "p/\n  a/ -> a/"])
def test_an_arrow_that_points_up_is_found(text):
    assert upward(lines_of(text)) != []
