"""The walked example of `docs/extending.md` is a program that runs."""

import runpy

from tests import documents
from tests.source_code import ROOT


def test_the_walked_example_runs(tmp_path):
    blocks = documents.blocks((ROOT / "docs/extending.md").read_text(), "python")
    # A file, so that TensorFlow finds the source of what it traces.
    program = tmp_path / "extending.py"
    program.write_text("\n".join(blocks))
    defined = runpy.run_path(str(program))
    # One thing of each part: all of them were reached.
    assert {"relative", "build_grey_level", "build_reversed_INSECURE"} <= set(defined)
