import pathlib

import pytest

from tests.selenc_tf.models import support
from tests.selenc_tf.models.architectures import ARCHITECTURES

DOCUMENT = pathlib.Path(__file__).parents[3] / "docs" / "models.md"


def rows():
    lines = DOCUMENT.read_text().splitlines()
    return {
        line.split(" | ")[0].removeprefix("| "): line for line in lines if "| " in line
    }


def test_the_document_has_every_architecture():
    assert set(ARCHITECTURES) <= set(rows())


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("binary", "batch normalisation")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in ARCHITECTURES
    ],
)
def test_the_document_says_what_the_validator_says(name):
    assert rows()[name] == support.row(name)
