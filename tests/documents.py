"""Reads what the documents and docstrings name: code spans, commands, links."""

import ast
import functools
import re
from typing import NamedTuple

from tests import source_code
from tests.source_code import ROOT

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`+([^`]+)`+")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


class Text(NamedTuple):
    """A document, or the docstrings of a module.

    Attributes:
      name: Of the file.
      text: All of it.
      is_document: Whether it is a document.
    """

    name: str
    text: str
    is_document: bool


@functools.cache
def texts():
    """All documents, and all docstrings by their files."""
    documents = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    sources = [*source_code.files(), *source_code.files("examples")]
    return [
        *(Text(str(p.relative_to(ROOT)), p.read_text(), True) for p in documents),
        *(
            Text(str(p.relative_to(ROOT)), docstrings(p.read_text()), False)
            for p in sources
        ),
    ]


def docstrings(source):
    """All docstrings of a source text, also those that stand below a name."""
    return "\n".join(
        node.value.value
        for node in ast.walk(source_code.syntax(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def blocks(text, language):
    """The fenced blocks of a language."""
    return [body for kind, body in _FENCE.findall(text) if kind == language]


def spans(text):
    """What stands in backticks, outside fenced blocks; on one line each."""
    return [" ".join(one.split()) for one in _SPAN.findall(_FENCE.sub("", text))]


def links(text):
    """Where the links and pictures of a document lead, but for other sites."""
    targets = _LINK.findall(_FENCE.sub("", text))
    return [target for target in targets if "://" not in target]


def anchors(text):
    """The anchors of a document's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
