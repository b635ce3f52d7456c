"""Reads the project's own source: its modules, what they import, where they stand."""

import ast
import collections
import functools
import graphlib
import importlib
import pathlib
import re
from collections.abc import Mapping

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("selenc_tf", "federated", "attacks", "experiments")

CATALOGUES = (
    "selenc_tf.catalog",
    "attacks.catalog",
    "experiments.data.catalog",
    "experiments.modalities.catalog",
)
"""Tables whose entries name what they stand for as "package.module:attribute"."""

_NAMED = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+:\w+")


@functools.cache
def files(*folders, suffix="py"):
    """All source files below folders of the repository, sorted."""
    return [
        path
        for folder in folders or PACKAGES
        for path in sorted((ROOT / folder).rglob(f"*.{suffix}"))
    ]


def module_of(path):
    """`federated/round/client.py` is `federated.round.client`.

    A package's own module keeps its last part `__init__`, so that relative imports
    resolve.
    """
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@functools.cache
def syntax(source):
    """The tree of a source text; nobody writes to it."""
    return ast.parse(source)


def statements(tree):
    """The statements of a tree at every depth; expressions, its most nodes, have none."""
    pending = collections.deque([tree])
    while pending:
        node = pending.popleft()
        for field in ("body", "handlers", "cases", "orelse", "finalbody"):
            for inner in getattr(node, field, ()):
                yield inner
                pending.append(inner)


@functools.cache
def imports_of(source, module):
    """All modules that a module imports, absolute: `from a import b` gives `a.b`."""
    package = module.rsplit(".", 1)[0]
    found = []
    for node in statements(syntax(source)):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                kept = parents[: len(parents) - node.level + 1]
                base = ".".join([*kept, base]).rstrip(".")
            found.extend(f"{base}.{alias.name}" for alias in node.names)
    return tuple(found)


@functools.cache
def named_by(catalogue):
    """What the entries of a catalogue name: it is imported when it is used."""
    tables = [
        value
        for value in vars(importlib.import_module(catalogue)).values()
        if isinstance(value, Mapping)
    ]
    return tuple(_NAMED.findall(repr(tables)))


@functools.cache
def modules():
    """Our modules by their names."""
    return {module_of(path): path for path in files()}


def defining_module(name):
    """The module of ours that holds a dotted name, or `None`."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        for known in (module, f"{module}.__init__"):
            if known in modules():
                return known
    return None


@functools.cache
def arrows():
    """All pairs (module, module of ours that it imports or names in a catalogue)."""
    found = set()
    for module, path in modules().items():
        for name in imports_of(path.read_text(), module):
            other = defining_module(name)
            if other is not None and other != module:
                found.add((module, other))
    for catalogue in CATALOGUES:
        for name in named_by(catalogue):
            found.add((catalogue, defining_module(name.replace(":", "."))))
    return frozenset(found)


def folder_arrows(pairs):
    """Arrows between folders that stand side by side, from arrows between modules.

    `a.b.c.x -> a.d.e.y` is an arrow from `a.b` to `a.d`. A folder and the one that
    holds it are no pair.
    """
    found = set()
    for importing, imported in pairs:
        one, other = (name.split(".")[:-1] for name in (importing, imported))
        common = 0
        while common < min(len(one), len(other)) and one[common] == other[common]:
            common += 1
        if min(len(one), len(other)) > common:
            found.add((".".join(one[: common + 1]), ".".join(other[: common + 1])))
    return found


def circle(pairs):
    """A list of names that lead back to their first, or an empty one."""
    graph = graphlib.TopologicalSorter()
    for one, other in pairs:
        graph.add(one, other)
    try:
        graph.prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []
