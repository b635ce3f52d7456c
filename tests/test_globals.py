"""No module of ours has a name that can change: read from the syntax.

The checkers work on source text, so that the tests below can show that they find what
they are meant to find.
"""

import ast

import pytest

from tests import source_code

MUTABLE = (
    ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp
)  # fmt: skip
MUTABLE_CALLS = {
    "list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict",
    "Counter", "Variable", "count", "Random", "default_rng", "Lock",
}  # fmt: skip


def mutable_globals(source):
    """Names of a module that can change: containers, counters, `global` statements."""
    tree = source_code.syntax(source)
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
        for node in source_code.syntax(source).body
        if isinstance(node, ast.AnnAssign)
        and any(
            word in ast.unparse(node.annotation)
            for word in ("Mapping[", "Sequence[", "Final")
        )
        and "MutableMapping" not in ast.unparse(node.annotation)
    }


def constants(source):
    """Names in capitals: constants by convention, never assigned to by anybody."""
    capitals = {name for name in mutable_globals(source) if name.isupper()}
    return capitals - written_to(source) if capitals else set()


def written_to(source):
    """Names that a module stores into or calls a changing method of."""
    methods = {
        "append", "add", "update", "pop", "clear", "extend", "setdefault", "remove",
        "insert", "popitem", "discard",
    }  # fmt: skip
    written = set()
    for node in ast.walk(source_code.syntax(source)):
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


def test_no_module_has_one():
    changing = {
        path: globals_that_change(path.read_text()) for path in source_code.files()
    }
    assert {path: names for path, names in changing.items() if names} == {}


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
