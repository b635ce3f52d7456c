"""The rules of the code's shape, read from its imports.

The checkers work on source text or on names, so that the tests below can show that they
find what they are meant to find.
"""

import ast
import pathlib

import pytest

from tests import source_code
from tests.source_code import PACKAGES, ROOT

# What each package may import of the others; a module path allows what it contains.
MAY_IMPORT = {
    "selenc_tf": (),
    "federated": ("selenc_tf",),
    "attacks": ("selenc_tf", "federated.views"),
    "experiments": ("selenc_tf", "federated", "attacks"),
}
# Rooms below their neighbours: what the first imports of its package is no room of the
# second. Everything else that the drawing in `docs/architecture.md` shows may change.
MAY_NOT_KNOW = (
    ("federated.runtime", ("federated.round", "federated.key_flow")),
    ("federated.round", ("federated.runtime", "federated.key_flow")),
    ("attacks.labels", ("attacks.continuous", "attacks.pictures")),
    ("attacks.matching", ("attacks.continuous", "attacks.pictures")),
    ("attacks.metrics", ("attacks.continuous", "attacks.pictures")),
    ("attacks.optimisers", ("attacks.continuous", "attacks.pictures")),
    ("attacks.structure", ("attacks.continuous", "attacks.pictures")),
    ("attacks.continuous", ("attacks.pictures",)),
    ("selenc_tf.lattice", ("selenc_tf.masks", "selenc_tf.significance")),
    ("selenc_tf.models", ("selenc_tf.masks", "selenc_tf.significance")),
    ("selenc_tf.significance", ("selenc_tf.masks", "selenc_tf.distance")),
    ("experiments.data", ("experiments.study", "experiments.outputs")),
    ("experiments.outputs", ("experiments.study", "experiments.data")),
    (
        "experiments.study",
        ("experiments.suites", "experiments.analysis", "experiments.modalities"),
    ),
)
ENTRY_POINTS = {
    "run", "report", "analyse", "audit", "benchmark", "cells", "check_prediction",
    "keys", "pretrain",
}  # fmt: skip
WITHOUT_TFF = ("selenc_tf", "attacks")
ONLY_IN_EXPERIMENTS = ("absl.flags", "absl.logging", "absl.app", "logging", "argparse")
TFF_DECORATED = (
    "federated/aggregators.py",
    "federated/averaging.py",
    "federated/counts.py",
    "federated/mask_rounds.py",
    "federated/metric_sums.py",
    "federated/processes.py",
    "federated/round/opening.py",
    "federated/round/wiring.py",
)


def within(name, allowed):
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


def wrong_imports(source, module):
    """The imports of a module that its package or its room is not allowed."""
    package = module.split(".")[0]
    allowed = (package, *MAY_IMPORT[package])
    strange = [
        room
        for home, rooms in MAY_NOT_KNOW
        if within(module, (home,))
        for room in rooms
    ]
    wrong = []
    for name in source_code.imports_of(source, module):
        ours = within(name, PACKAGES) and not within(name, allowed)
        tff = within(name, ("tensorflow_federated",)) and package in WITHOUT_TFF
        command_line = within(name, ONLY_IN_EXPERIMENTS) and package != "experiments"
        if ours or tff or command_line or within(name, strange):
            wrong.append(name)
    return wrong


def tff_computations(source):
    """Uses of `tff.tensorflow.computation` and `tff.federated_computation`."""
    if "computation" not in source:
        return []
    return [
        ast.unparse(node)
        for node in ast.walk(source_code.syntax(source))
        if isinstance(node, ast.Attribute)
        and node.attr.endswith("computation")
        and ast.unparse(node)
        in (
            "tff.tensorflow.computation",
            "tff.jax.computation",
            "tff.federated_computation",
            "tff.tf_computation",
        )
    ]


def test_every_package_is_there():
    found = {path.relative_to(ROOT).parts[0] for path in source_code.files()}
    assert found == set(PACKAGES)


def test_imports_go_one_way():
    sources = [*source_code.files(), *source_code.files(suffix="pyi")]
    wrong = {
        path: wrong_imports(path.read_text(), source_code.module_of(path))
        for path in sources
    }
    assert {path: names for path, names in wrong.items() if names} == {}


def test_tff_computations_stand_in_these_files():
    found = {
        str(path.relative_to(ROOT))
        for path in source_code.files()
        if tff_computations(path.read_text())
    }
    assert found == set(TFF_DECORATED)


@pytest.mark.parametrize("catalogue", source_code.CATALOGUES)
def test_a_catalogue_names_what_its_package_has(catalogue):
    names = source_code.named_by(catalogue)
    assert names
    assert {name.split(".")[0] for name in names} == {catalogue.split(".")[0]}
    modules = [name.split(":")[0] for name in names]
    assert [name for name in modules if name not in source_code.modules()] == []


def test_no_circle_between_files():
    assert source_code.circle(source_code.arrows()) == []


def test_no_circle_between_folders():
    assert source_code.circle(source_code.folder_arrows(source_code.arrows())) == []


def test_rooms_of_the_rules_exist():
    named = {room for home, rooms in MAY_NOT_KNOW for room in (home, *rooms)}
    assert [
        name for name in named if not (ROOT / name.replace(".", "/")).is_dir()
    ] == []


def test_only_entry_points_at_the_root_of_experiments():
    found = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    assert found == {"__init__", *ENTRY_POINTS}
    for name in ENTRY_POINTS:
        last = ast.parse((ROOT / "experiments" / f"{name}.py").read_text()).body[-1]
        assert ast.unparse(last).startswith("if __name__ == '__main__':")


def test_tests_mirror_the_packages():
    folders = {
        path.parent.relative_to(ROOT / "tests")
        for path in source_code.files("tests")
        if path.parent != ROOT / "tests"
    }
    assert {folder.parts[0] for folder in folders} == set(PACKAGES)
    # A modality that is not ours: what shows that one is a folder.
    folders.remove(pathlib.Path("experiments/modalities/tunes"))
    assert [str(folder) for folder in folders if not (ROOT / folder).is_dir()] == []


def imported_from_tests(source, module):
    """What a test takes from a module that holds tests."""
    return [
        name
        for name in source_code.imports_of(source, module)
        if any(part.startswith("test_") for part in name.split("."))
    ]


def test_tests_share_nothing_through_test_modules():
    wrong = {
        path: imported_from_tests(path.read_text(), source_code.module_of(path))
        for path in source_code.files("tests")
    }
    assert {path: names for path, names in wrong.items() if names} == {}


def test_a_fixture_from_a_test_module_is_found():
    source = "from tests.attacks.test_dlg import victim"
    assert imported_from_tests(source, "tests.attacks.test_idlg") != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("selenc_tf.flatten", "import federated.views"),
        ("selenc_tf.flatten", "from attacks import dlg"),
        ("selenc_tf.flatten", "def f():\n    import experiments"),
        ("selenc_tf.flatten", "import tensorflow_federated as tff"),
        ("selenc_tf.masks.wire", "from ...federated import views"),
        ("federated.round.client", "from attacks.dlg import attack"),
        ("federated.round.client", "from absl import flags"),
        ("federated.round.client", "import logging"),
        ("federated.round.client", "from federated import runtime"),
        ("federated.round.client", "from ..runtime import tap"),
        ("federated.runtime.tap", "from federated.round import client"),
        ("attacks.dlg", "from federated import tap"),
        ("attacks.dlg", "import federated"),
        ("attacks.dlg", "from federated.views_of_more import x"),
        ("attacks.dlg", "from tensorflow_federated import learning"),
        ("attacks.dlg", "from experiments.data import mnist"),
        ("attacks.continuous.first_order.engine", "from attacks import pictures"),
        ("attacks.labels.yin", "import attacks.continuous.analytic.r_gap"),
        ("experiments.outputs.files", "from experiments.study import settings"),
    ],
)
def test_a_wrong_import_is_found(module, source):
    assert wrong_imports(source, module) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("selenc_tf.masks.wire", "from selenc_tf.types import Mask"),
        ("selenc_tf.masks.wire", "from ..types import Mask"),
        (
            "federated.round.client",
            "from selenc_tf import types\nfrom federated import views",
        ),
        ("federated.rounds", "from federated.runtime import tap"),
        ("attacks.dlg", "from federated import views"),
        ("attacks.dlg", "from federated.views import ServerView"),
        ("experiments.run", "import logging\nfrom absl import flags\nimport attacks"),
    ],
)
def test_an_allowed_import_is_allowed(module, source):
    assert wrong_imports(source, module) == []


@pytest.mark.parametrize(
    "pairs",
    [
        {("p.a.x", "p.b.y"), ("p.b.z", "p.a.w")},
        {("p.a.x", "p.b.y"), ("p.b.y", "p.c.z"), ("p.c.z", "p.a.x")},
        {("p.a.deep.x", "p.b.y"), ("p.b.z", "p.a.deeper.w")},
        {("p.a.one.x", "p.a.two.y"), ("p.a.two.z", "p.a.one.w")},
    ],
)
def test_a_circle_of_folders_is_found(pairs):
    assert source_code.circle(source_code.folder_arrows(pairs)) != []


@pytest.mark.parametrize(
    "pairs",
    [
        {("p.a.x", "p.y"), ("p.z", "p.a.w")},
        {("p.a.x", "p.b.y"), ("p.a.x", "p.c.y"), ("p.b.y", "p.c.y")},
        {("p.a.one.x", "p.a.two.y"), ("p.b.x", "p.a.one.y")},
    ],
)
def test_a_tree_of_folders_is_no_circle(pairs):
    assert source_code.circle(source_code.folder_arrows(pairs)) == []


@pytest.mark.parametrize(
    "source",
    [
        "@tff.tensorflow.computation\ndef f(): pass",
        "@tff.federated_computation(t)\ndef f(): pass",
        "f = tff.tensorflow.computation(g)",
    ],
)
def test_a_tff_computation_is_found(source):
    assert tff_computations(source) != []
