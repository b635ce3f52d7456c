"""What the token table and the mask say."""

import numpy as np
import pytest

from attacks import knowledge
from attacks import target as target_lib
from attacks.text import sentences
from attacks.text.discrete import bag_of_words, tables
from tests.attacks.text import clients

SEED = (1, 2)
BERT, GPT2 = clients.NAMES


def found_in(model, vector, mask=None, size=1, **more):
    view = clients.view_of(model, vector, mask)
    return bag_of_words.build_bag_of_words(**more)(
        view, clients.known(model, size), SEED
    )


def table_of(model):
    place = model.structure.token_table
    start = sum(model.spec.sizes[:place])
    return slice(start, start + model.spec.sizes[place])


def words_of(examples):
    return sorted(token for row in sentences.rows_of(examples) for token in row)


def test_visible_rows_are_the_words():
    model, vector = clients.tiny(BERT), clients.gradient_of(BERT, 1)
    truth, classes = clients.batch(model, 1)
    found = found_in(model, vector)
    assert words_of(found.examples) == words_of(truth)
    assert found.label_source == "inferred" and found.labels == classes


def test_a_word_that_is_there_twice_is_said_twice():
    model = clients.tiny(BERT)
    truth = sentences.of_rows([[2, 9, 9, 9, 5, 3]], clients.LENGTH)
    vector = clients.gradient(model, truth, np.array([1]))
    found = found_in(model, vector)
    assert set(words_of(found.examples)) == {2, 3, 5, 9}
    assert (found.examples >= 0).sum() == 6


@pytest.mark.parametrize("everything_else", [False, True])
def test_a_mask_of_large_entries_names_them_without_a_value(everything_else):
    model, vector = clients.tiny(BERT), clients.gradient_of(BERT, 2)
    mask = np.full(len(vector), everything_else)
    mask[table_of(model)] = vector[table_of(model)] != 0
    truth, _ = clients.batch(model, 2)
    found = found_in(model, vector, mask, size=2)
    assert set(words_of(found.examples)) == set(words_of(truth))
    with pytest.raises(knowledge.DoesNotApply):
        found_in(model, vector, mask, size=2, mode="naive")


def test_a_mask_that_follows_nothing_names_nobody():
    model, vector = clients.tiny(BERT), clients.gradient_of(BERT, 1)
    mask = clients.random_mask(len(vector), 0.02)
    assert tables.bag_from_mask(model, mask) is not None
    found = found_in(model, vector, mask)
    assert words_of(found.examples) == words_of(clients.batch(model, 1)[0])


@pytest.mark.slow
def test_a_table_that_is_the_head_too_names_nobody():
    model, vector = clients.tiny(GPT2), clients.gradient_of(GPT2, 1)
    with pytest.raises(knowledge.DoesNotApply, match="head is that table too"):
        found_in(model, vector)


def test_rows_that_are_seen_and_zero_exclude_tokens():
    model, vector = clients.tiny(BERT), clients.gradient_of(BERT, 1)
    view = clients.view_of(model, vector)
    known = clients.known(model)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    kept = np.flatnonzero(tables.allowed(model, target))
    assert set(kept) == set(words_of(clients.batch(model, 1)[0]))


def test_zeros_that_a_mask_had_to_hide_are_no_words():
    model, vector = clients.tiny(BERT), clients.gradient_of(BERT, 2)
    filled = 2 * clients.LENGTH + 1
    mask = np.ones(len(vector), bool)
    rows = vector[table_of(model)].reshape(model.vocabulary_size, -1) != 0
    rows[:filled] = True
    mask[table_of(model)] = rows.ravel()
    hints = tables.bag_from_mask(model, mask)
    truth, _ = clients.batch(model, 2)
    assert set(np.flatnonzero(hints)) == {
        one for one in words_of(truth) if one >= filled
    }
    rows[filled:] = False
    mask[table_of(model)] = rows.ravel()
    assert tables.bag_from_mask(model, mask) is None
