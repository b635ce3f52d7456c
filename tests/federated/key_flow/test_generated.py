"""Several thousand computations that leak, each caught; hundreds that do not, and pass.

By default a few of each, drawn by a seed; some hundred in the slow tier; all in the long.
"""

import random
import re

import pytest

from tests.federated.key_flow import generated

SEED = 7
LEAKS = [*generated.leaks_by_result(), *generated.leaks_by_the_way()]
HARMLESS = [*generated.harmless(), *generated.harmless_by_the_way()]
RUNNING = [case for case in LEAKS if generated.runs_alone(case)]
PARTS = 40
"""Of the long tier: each takes some twenty seconds."""


def tiers(default, slow, parts=PARTS):
    """Which of the shuffled cases a test takes, from and to, as shares or numbers."""
    long = [(part / parts, (part + 1) / parts) for part in range(parts)]
    return [
        pytest.param((0, default), id="few"),
        pytest.param((default, slow), id="some", marks=pytest.mark.slow),
        *[
            pytest.param(part, id=f"{part[0]:.2f}", marks=pytest.mark.long)
            for part in long
        ],
    ]


def drawn(cases, part):
    """The cases of a part: of a number of cases, or of a share of them."""
    shuffled = random.Random(SEED).sample(cases, len(cases))
    start, end = (
        round(at * len(cases)) if isinstance(at, float) else at for at in part
    )
    return shuffled[start:end]


def test_there_are_several_hundred():
    assert len({case.name for case in LEAKS}) == len(LEAKS) > 4000
    assert len({case.name for case in HARMLESS}) == len(HARMLESS) > 490


@pytest.mark.parametrize("part", tiers(22, 60))
def test_leaks_are_caught(part):
    cases = drawn(LEAKS, part)
    passed = [case.name for case in cases if not generated.analyse(case).leaks]
    assert cases and not passed


@pytest.mark.parametrize("part", tiers(10, 40))
def test_what_is_harmless_passes(part):
    found = {case.name: generated.analyse(case) for case in drawn(HARMLESS, part)}
    assert found
    assert not {name: one for name, one in found.items() if one.leaks or one.kept}


@pytest.mark.slow
@pytest.mark.parametrize("carrier", generated.REFUSED)
def test_what_no_model_has_is_not_believed(carrier):
    found = [generated.analyse(case) for case in generated.refused(carrier)]
    assert any(one.leaks or one.kept for one in found)


@pytest.mark.parametrize("part", tiers(2, 10))
def test_leaks_leak(part, tmp_path, capfd):
    """The same computation leaves other traces under another key."""
    keys, uploads = generated.draw_pair()
    cases, silent, noisy = drawn(RUNNING, part), [], []

    def trace(case, which, folder):
        folder.mkdir()
        capfd.readouterr()
        seen = generated.observe(case, keys[which], uploads[which], str(folder))
        printed = capfd.readouterr()
        shown = repr((sorted(seen.items()), printed.out, printed.err))
        # TensorFlow counts the data sets of a process in what it says of them.
        return re.sub(r"Dataset:\d+", "Dataset", shown.replace(str(folder), "folder"))

    for number, case in enumerate(cases):
        one, other, again = (
            trace(case, which, tmp_path / f"{number}.{run}")
            for run, which in enumerate((0, 1, 0))
        )
        if one == other:
            silent.append(case.name)
        if one != again:
            noisy.append(case.name)
    assert cases and not silent and not noisy
