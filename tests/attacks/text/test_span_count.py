"""The count of `span_identifiability` against DAGER itself."""

import numpy as np
import pytest

from attacks import knowledge
from attacks import target as target_lib
from attacks.text.discrete import candidates, dager
from attacks.text.modality import TOKENS
from attacks.text.spans import places, subspace
from selenc_tf.distance.span_identifiability import span_identifiability
from tests.attacks import victims
from tests.attacks.text import clients

BY_LOT = ("random0.3", "random0.5", "random0.7", "random0.8", "random0.9")
LARGEST = ("largest0.1", "largest0.3", "largest0.5", "largest0.7")
WHOLE = ("rows8", "rows14", "rows20", "rows40", "columns3", "columns5", "columns7")
QUICK = (("gpt2", 1, "random0.7"),)


def _mark(case):
    """Every other kind is in the slow tier, of one sentence or of two."""
    if case in QUICK:
        return ()
    _, size, kind = case
    kinds = (*BY_LOT, *LARGEST, *WHOLE)
    every_other = kinds.index(kind) % 2 == size - 1
    return pytest.mark.slow if every_other else pytest.mark.long


GRID = [
    pytest.param(*case, marks=_mark(case))
    for case in (
        ("gpt2", size, kind) for size in (1, 2) for kind in (*BY_LOT, *LARGEST, *WHOLE)
    )
]


def mask_of(model, vector, kind):
    """By lot and the largest of all entries; all but some rows or columns of two blocks."""
    what, number = kind.rstrip("0123456789."), kind.lstrip("abcdefghijklmnopqrstuvwxyz")
    if what == "random":
        return clients.random_mask(len(vector), float(number))
    if what == "largest":
        return clients.largest(vector, float(number))
    mask, ends = np.zeros(len(vector), bool), np.cumsum(model.spec.sizes)
    for block in model.structure.blocks[:2]:
        for one in (*block.of_inputs, *block.of_feedforward_inputs):
            at = slice(
                ends[one.kernel] - model.spec.sizes[one.kernel], ends[one.kernel]
            )
            part = mask[at].reshape(model.structure.width, -1)
            if what == "rows":
                part[int(number) :] = True
            else:
                part[:, int(number) :] = True
    return mask


def first_place(model, vector, mask, size):
    view, known = clients.view_of(model, vector, mask), clients.known(model, size)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    arguments = target, target.matched, model.spec, model.structure
    return places.shown(*arguments, candidates.FIRST[0])


def recovered(model, vector, mask, size):
    view, known = clients.view_of(model, vector, mask), clients.known(model, size)
    try:
        found = dager.build_dager(programs=victims.PROGRAMS)(view, known, (1, 2))
    except knowledge.DoesNotApply:
        return False
    return TOKENS.score(found.examples, clients.batch(model, size)[0]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "kind"), GRID)
def test_the_count_says_where_sentences_are_read(name, size, kind):
    model = clients.wide(name)
    vector = clients.gradient_of(name, size, make=clients.wide)
    most = size * model.length
    rank = subspace.of(first_place(model, vector, None, size), most).rank
    mask = mask_of(model, vector, kind)
    seen = first_place(model, vector, mask, size).seen
    predicted = span_identifiability(seen, rank).determined
    assert recovered(model, vector, mask, size) == predicted
