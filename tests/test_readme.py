"""The README's table is that of the records that stand beside it."""

import importlib.util

from tests.source_code import ROOT


def update():
    """The command that puts a run into the README; it is no part of a package."""
    place = ROOT / "docs/quickstart/update.py"
    spec = importlib.util.spec_from_file_location("update", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_this_version_prints_of_the_records():
    command = update()
    shown = command.table_in((ROOT / "README.md").read_text())
    assert shown == command.table_of(ROOT / "docs/quickstart")


def test_another_number_is_found():
    command = update()
    text = (ROOT / "README.md").read_text()
    shown = command.table_in(text)
    other = text.replace(shown, shown.replace("exact", "100.0", 1))
    assert command.table_in(other) != command.table_of(ROOT / "docs/quickstart")
