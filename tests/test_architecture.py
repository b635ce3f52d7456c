"""The rules of the code's shape, read from its syntax: imports, and no globals.

The checkers work on source text, so that the tests below can show that they find what
they are meant to find.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("selenc_tf", "federated", "attacks", "experiments")

# What each package may import of the others; a module path allows what it contains.
MAY_IMPORT = {
    "selenc_tf": (),
    "federated": ("selenc_tf",),
    "attacks": ("selenc_tf", "federated.views"),
    "experiments": ("selenc_tf", "federated", "attacks"),
}
WITHOUT_TFF = ("selenc_tf", "attacks")
ONLY_IN_EXPERIMENTS = ("absl.flags", "absl.logging", "absl.app", "logging", "argparse")
TFF_DECORATED = (
    "federated/aggregators.py",
    "federated/mask_rounds.py",
    "federated/processes.py",
)
MUTABLE = (
    ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp
)  # fmt: skip
MUTABLE_CALLS = {
    "list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict",
    "Counter", "Variable", "count", "Random", "default_rng", "Lock",
}  # fmt: skip


def imports_of(tree, module):
    """All modules that a module imports, absolute: `from a import b` gives `a.b`."""
    package = module.rsplit(".", 1)[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                kept = parents[: len(parents) - node.level + 1]
                base = ".".join([*kept, base]).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(name, allowed):
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


def wrong_imports(source, module):
    """The imports of a module that its package is not allowed."""
    package = module.split(".")[0]
    allowed = (package, *MAY_IMPORT[package])
    wrong = []
    for name in imports_of(ast.parse(source), module):
        ours = within(name, PACKAGES)
        tff = within(name, ("tensorflow_federated",)) and package in WITHOUT_TFF
        command_line = within(name, ONLY_IN_EXPERIMENTS) and package != "experiments"
        if (ours and not within(name, allowed)) or tff or command_line:
            wrong.append(name)
    return wrong


def tff_computations(source):
    """Uses of `tff.tensorflow.computation` and `tff.federated_computation`."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node)
        in (
            "tff.tensorflow.computation",
            "tff.jax.computation",
            "tff.federated_computation",
            "tff.tf_computation",
        )
    ]


def mutable_globals(source):
    """Names of a module that can change: containers, counters, `global` statements."""
    tree = ast.parse(source)
    found = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Global)
        for name in node.names
    ]
    for node in tree.body:
        if isinstance(node, ast.AugAssign):
            found.append(ast.unparse(node.target))
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        value = node.value
        called = value.func if isinstance(value, ast.Call) else None
        name = ast.unparse(called).rsplit(".", 1)[-1] if called is not None else ""
        if isinstance(value, MUTABLE) or name in MUTABLE_CALLS:
            found.extend(ast.unparse(target) for target in targets)
    return found


def read_only(source):
    """Names that are declared as mappings or sequences, which nobody may write to."""
    return {
        ast.unparse(node.target)
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign)
        and any(
            word in ast.unparse(node.annotation)
            for word in ("Mapping[", "Sequence[", "Final")
        )
        and "MutableMapping" not in ast.unparse(node.annotation)
    }


def constants(source):
    """Names in capitals: constants by convention, never assigned to by anybody."""
    return {
        name
        for name in mutable_globals(source)
        if name.isupper() and name not in written_to(source)
    }


def written_to(source):
    """Names that a module stores into or calls a changing method of."""
    methods = {
        "append", "add", "update", "pop", "clear", "extend", "setdefault", "remove",
        "insert", "popitem", "discard",
    }  # fmt: skip
    written = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and isinstance(
            node.ctx, ast.Store | ast.Del
        ):
            written.add(ast.unparse(node.value))
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in methods
        ):
            written.add(ast.unparse(node.func.value))
        elif isinstance(node, ast.AugAssign):
            written.add(ast.unparse(node.target))
        elif isinstance(node, ast.Global):
            written.update(node.names)
    return written


def globals_that_change(source):
    return sorted(set(mutable_globals(source)) - read_only(source) - constants(source))


def files():
    return [
        path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
    ]


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    # A package's own module keeps a last part, so that relative imports resolve.
    return ".".join(parts)


def test_every_package_is_there():
    found = {path.relative_to(ROOT).parts[0] for path in files()}
    assert found == set(PACKAGES)


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_module(path):
    source = path.read_text()
    assert wrong_imports(source, module_of(path)) == []
    assert globals_that_change(source) == []
    if str(path.relative_to(ROOT)) not in TFF_DECORATED:
        assert tff_computations(source) == []


@pytest.mark.parametrize("path", TFF_DECORATED)
def test_the_search_for_tff_computations_finds_ours(path):
    assert len(tff_computations((ROOT / path).read_text())) > 5


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
        ("attacks.dlg", "from federated import tap"),
        ("attacks.dlg", "import federated"),
        ("attacks.dlg", "from federated.views_of_more import x"),
        ("attacks.dlg", "from tensorflow_federated import learning"),
        ("attacks.dlg", "from experiments.data import mnist"),
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
            "from selenc_tf import types\nfrom federated import tap",
        ),
        ("attacks.dlg", "from federated import views"),
        ("attacks.dlg", "from federated.views import ServerView"),
        ("experiments.run", "import logging\nfrom absl import flags\nimport attacks"),
    ],
)
def test_an_allowed_import_is_allowed(module, source):
    assert wrong_imports(source, module) == []


@pytest.mark.parametrize(
    "source",
    [
        "cache = {}",
        "cache: dict[str, int] = {}",
        "CACHE = []\ndef f(x):\n    CACHE.append(x)",
        "TABLE = {'a': 1}\ndef f():\n    TABLE['b'] = 2",
        "import collections\n_seen = collections.defaultdict(list)",
        "counter = 0\ndef f():\n    global counter\n    counter += 1",
        "numbers = [n for n in range(3)]",
        "import numpy as np\nrng = np.random.default_rng(0)",
    ],
)
def test_a_mutable_global_is_found(source):
    assert globals_that_change(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "LIMIT = 3\nNAMES = ('a', 'b')",
        "TABLE = {1: 2}",
        "from collections.abc import Mapping\n_table: Mapping[str, int] = {'a': 1}",
        "def f():\n    cache = {}\n    return cache",
    ],
)
def test_a_constant_is_allowed(source):
    assert globals_that_change(source) == []


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
