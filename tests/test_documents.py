"""What documents and docstrings name exists: files, code, tests, flags and links."""

import ast
import functools
import re
import tomllib

import pytest
import yaml

from tests import documents, source_code
from tests.source_code import PACKAGES, ROOT

FOLDERS = (*PACKAGES, "tests", "docs", "examples", ".ci")
_PATH = re.compile(r"(?:[\w.-]+/)*[\w.-]+\.(?:py|pyi|md|flags|toml|cff)")
_FOLDER = re.compile(rf"(?:{'|'.join(FOLDERS)})/(?:[\w-]+/)*")
_DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.\w+)+)(?:\(.*\))?")
_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z0-9_]*)(?![\w-])")
_MODULE = re.compile(r"python -m ([\w.]+)")
# Flags of the programs around ours.
OTHER_FLAGS = {"help", "flagfile", "extra", "group", "locked", "editable", "tb"}
# Source files of other packages, and a document that a command writes.
ELSEWHERE = {"nn_grad.py", "tensorflow_privacy/__init__.py", "check.md"}
# Files that runs write: `results.jsonl` is no attribute of `results`.
WRITTEN = {
    "json", "jsonl", "csv", "png", "html", "key", "txt", "npz", "keras", "tex", "log"
}  # fmt: skip
# Keras, TensorFlow and the standard library have classes of these names too.
NOT_OURS = {"Model", "Layer", "Variable"}


@functools.cache
def tracked():
    """All files that documents may mean, with a slash before them."""
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
    return [f"/{path.relative_to(ROOT)}" for path in [*ROOT.glob("*.*"), *below]]


@functools.cache
def names_of(path):
    """The names that a module defines; of its classes, `Class.member` too."""
    stub = path.with_suffix(".pyi")
    source = path.read_text() + (stub.read_text() if stub.exists() else "")
    return names_in(source)


def names_in(source):
    """The names of a source text as above."""
    tree = source_code.syntax(source)
    found = set()
    for node in tree.body:
        for name in _bound(node):
            found.add(name)
            if isinstance(node, ast.ClassDef):
                inner = {one for child in node.body for one in _bound(child)}
                inner |= {
                    child.attr
                    for child in ast.walk(node)
                    if isinstance(child, ast.Attribute)
                    and isinstance(child.ctx, ast.Store)
                }
                found |= {f"{name}.{member}" for member in inner}
    return frozenset(found)


def _bound(node):
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [
            leaf.id
            for target in node.targets
            for leaf in ast.walk(target)
            if isinstance(leaf, ast.Name)
        ]
    if isinstance(node, ast.AnnAssign):
        return [ast.unparse(node.target)]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    return []


@functools.cache
def classes():
    """The members of every class of ours; names that occur twice have all of them."""
    found = {}
    for path in source_code.files():
        for name in names_of(path):
            if name[:1].isupper() and "." in name:
                found.setdefault(name.split(".")[0], set()).add(name.split(".")[1])
            elif name[:1].isupper():
                found.setdefault(name, set())
    return found


@functools.cache
def homes_of():
    """The files that a short name such as `views` or `key_flow` may mean."""
    found = {}
    for path in source_code.files():
        name = path.parent.name if path.stem == "__init__" else path.stem
        found.setdefault(name, []).append(path)
    return found


def is_there(path):
    """Whether a file of the repository has this path, or a path that ends so."""
    return any(one.endswith(f"/{path}") for one in tracked())


def wrong_name(name, *, in_document):
    """Whether a dotted name looks like one of ours and is none.

    In a docstring `target.vector` may be of an argument; in a document it is of a
    module.
    """
    first, *rest = name.split(".")
    if rest[-1] in WRITTEN:
        return False
    if first in (*PACKAGES, "tests"):
        module = source_code.defining_module(name) if first != "tests" else None
        path = ROOT / "/".join([first, *rest])
        if path.with_suffix(".py").is_file() or path.is_dir():
            return False
        if module is None:
            return True
        depth = len(module.removesuffix(".__init__").split("."))
        inner = name.split(".")[depth:]
        known = names_of(source_code.modules()[module])
        return inner[0] not in known or (
            len(inner) > 1
            and any(one.startswith(f"{inner[0]}.") for one in known)
            and f"{inner[0]}.{inner[1]}" not in known
        )
    if first in classes() and first not in NOT_OURS and classes()[first]:
        return rest[0] not in classes()[first]
    if in_document and len(rest) == 1:
        homes = homes_of().get(first, [])
        return bool(homes) and not any(
            rest[0] in names_of(path) or (path.parent / f"{rest[0]}.py").is_file()
            for path in homes
        )
    return False


@functools.cache
def names_of_tests():
    """The names of all tests and of the files that hold them."""
    found = {path.stem for path in source_code.files("tests")}
    for path in source_code.files("tests"):
        found.update(re.findall(r"^ *def (test_\w+)", path.read_text(), re.MULTILINE))
    return found


def missing(text, *, in_document):
    """What a text names in backticks and what is not there."""
    found = []
    for span in documents.spans(text):
        path, _, test = span.partition("::")
        if path in ELSEWHERE:
            continue
        if _PATH.fullmatch(path):
            test_name = test.split("[")[0].split("::")[-1]
            if not is_there(path) or (test and test_name not in names_of_tests()):
                found.append(span)
        elif _FOLDER.fullmatch(span):
            if not (ROOT / span).is_dir():
                found.append(span)
        elif re.fullmatch(r"test_\w+", span):
            if span not in names_of_tests():
                found.append(span)
        elif dotted := _DOTTED.fullmatch(span):
            if wrong_name(dotted[1], in_document=in_document):
                found.append(span)
    found.extend(
        name
        for name in _MODULE.findall(text)
        if name.startswith(PACKAGES) and wrong_name(name, in_document=True)
    )
    return found


@functools.cache
def known_flags():
    """Every flag that a command of ours defines: `flag("name", ...)` in a table."""
    return {
        node.args[0].value
        for path in source_code.files("experiments")
        for node in ast.walk(source_code.syntax(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("flag", "flag_table.flag")
        and isinstance(node.args[0], ast.Constant)
    }


def unknown_flags(text):
    """The flags of a text that are neither ours nor of the programs around ours."""
    # `Target --head.read_head--> gradient` is a drawing.
    lines = [line for line in text.splitlines() if "-->" not in line]
    negated = {f"no{name}" for name in known_flags()}
    return sorted(
        set(_FLAG.findall("\n".join(lines))) - known_flags() - negated - OTHER_FLAGS
    )


def test_what_is_named_is_there():
    wrong = {
        one.name: missing(one.text, in_document=one.is_document)
        for one in documents.texts()
    }
    assert {name: spans for name, spans in wrong.items() if spans} == {}


def test_flags_exist():
    wrong = {one.name: unknown_flags(one.text) for one in documents.texts()}
    assert {name: flags for name, flags in wrong.items() if flags} == {}


def test_links_lead_somewhere():
    wrong = []
    for one in documents.texts():
        for target in documents.links(one.text) if one.is_document else ():
            path, _, anchor = target.partition("#")
            file = ((ROOT / one.name).parent / path) if path else ROOT / one.name
            if not file.exists() or (
                anchor and anchor not in documents.anchors(file.read_text())
            ):
                wrong.append(f"{one.name}: {target}")
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        "`federated/nowhere.py`",
        "`nowhere.py`",
        "`attacks/nowhere/`",
        "`tests/test_documents.py::test_nothing`",
        "`test_of_nothing_at_all`",
        "`federated.nowhere`",
        "`federated.views.Nowhere`",
        "`federated.views.ServerView.nowhere`",
        "`views.nowhere`",
        "`ServerView.nowhere`",
        "python -m experiments.nowhere",
    ],
)
def test_a_wrong_name_is_found(text):
    assert missing(text, in_document=True) != []


@pytest.mark.parametrize(
    "text",
    [
        "`federated/views.py`",
        "`round/client.py`",
        "`attacks/labels/`",
        "`tests/test_documents.py::test_links_lead_somewhere`",
        "`federated.views`",
        "`federated.views.ServerView`",
        "`federated.views.ServerView.mask`",
        "`views.ServerView`",
        "`ServerView.mask`",
        "`process.next`, `tf.function`, `config.json`, `attacks/<family>/<name>.py`",
        "python -m experiments.run",
    ],
)
def test_a_right_name_is_right(text):
    assert missing(text, in_document=True) == []


def test_a_wrong_flag_is_found():
    assert unknown_flags("take `--datasets=mnist`") == ["datasets"]
    assert unknown_flags("take `--dataset=mnist` with --help") == []


def test_the_version_is_said_once_more():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]


def test_pre_commit_runs_what_continuous_integration_runs():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    lines = (ROOT / ".ci" / "lint").read_text().splitlines()
    assert hooks == [line for line in lines if line.startswith(".venv/bin/")]
