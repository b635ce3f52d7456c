"""What holds for every attack of the catalogue on sentences, by its entry alone."""

import numpy as np
import pytest

from attacks import catalog, knowledge, words
from attacks import effort as effort_lib
from attacks.text import sentences
from selenc_tf.models.local_steps import LocalTraining
from tests.attacks import conformance, victims
from tests.attacks.text import clients

SEED = (1, 2)
EFFORT = effort_lib.Effort(restarts=1, max_iterations=100)
SHORT = effort_lib.Effort(restarts=1, max_iterations=10)
ATTACKS = {
    name: entry
    for name, entry in catalog.ATTACKS.items()
    if entry.inputs == words.TOKENS
}
SEARCHES = ("tiger", "pooled_words", "dlg_text", "tag", "lamp_cos", "lamp_l1l2")


def marks_of(name, mode="mask_aware"):
    """A search takes seconds to trace, and `test_matching.py` and
    `test_tiger.py` try one every day."""
    second = mode == "naive" or name in SEARCHES
    return [pytest.mark.slow] if second else []


NAMES = [pytest.param(name, id=name, marks=marks_of(name)) for name in ATTACKS]
CASES = [
    pytest.param(name, mode, id=f"{name}-{mode}", marks=marks_of(name, mode))
    for name, entry in ATTACKS.items()
    for mode in entry.modes
]


def built(name, mode="mask_aware"):
    effort = SHORT if name in SEARCHES else EFFORT
    return catalog.build(name, mode, effort=effort, programs=victims.PROGRAMS)


def applied(name, mode, model, view, **more):
    """What an attack returns, or why it does not apply."""
    try:
        return built(name, mode)(view, clients.known(model, **more), SEED)
    except knowledge.DoesNotApply as reason:
        return str(reason)


def check_well_formed(found, model):
    assert found.examples.shape == (1, model.length)
    assert found.examples.dtype == np.int32
    assert np.all(found.examples >= sentences.NO_TOKEN)
    assert np.all(found.examples < model.vocabulary_size)
    # Nothing stands behind a sentence's end.
    real = found.examples != sentences.NO_TOKEN
    assert np.all(real[:, :-1] >= real[:, 1:])
    shape = (1,) if model.kind == "classes" else (1, 0)
    assert found.labels.shape == shape and found.labels.dtype == np.int64


def _tier(model_name, name, mode):
    """In the slow tier every search runs on the classifier; a refusal takes no time."""
    runs = model_name == clients.NAMES[0] or "next_token" in ATTACKS[name].kinds
    if name in SEARCHES and runs:
        first = mode == "mask_aware" and model_name == clients.NAMES[0]
        return [pytest.mark.slow if first else pytest.mark.long]
    # `test_dager.py` hides entries from both kinds of model.
    second = (model_name, name) == (clients.NAMES[1], "dager")
    return [pytest.mark.slow] if second else marks_of(name, mode)


BOTH = [
    pytest.param(
        model_name,
        *one.values,
        id=f"{model_name}-{one.id}",
        marks=_tier(model_name, *one.values),
    )
    for model_name in clients.NAMES
    for one in CASES
]


@pytest.mark.parametrize(("model_name", "name", "mode"), BOTH)
def test_hidden_entries_are_never_read(name, mode, model_name):
    """The same bits, and so the same from run to run too."""
    model = clients.tiny(model_name)
    vector = clients.gradient_of(model_name, 1)
    mask = clients.random_mask(model.spec.size, 0.2)
    attack, known = built(name, mode), clients.known(model)
    if model.kind not in ATTACKS[name].kinds:
        with pytest.raises(knowledge.DoesNotApply, match="must learn classes"):
            attack(clients.view_of(model, vector, mask), known, SEED)
        return
    refused, why = {
        "bag_of_words": (model.structure.tied, "is that table too"),
        "deep_spans": (not model.structure.blocks[0].causal, "see the whole sentence"),
    }.get(name, (False, ""))
    if refused:
        with pytest.raises(knowledge.DoesNotApply, match=why):
            attack(clients.view_of(model, vector, mask), known, SEED)
        return
    found = conformance.check_hidden_entries_are_never_read(
        attack, known, model, [vector], mask, seed=SEED
    )
    check_well_formed(found, model)


@pytest.mark.parametrize(("name", "mode"), CASES)
@pytest.mark.parametrize("case", ["nothing_visible", "zero", "nan"])
def test_a_hopeless_view_is_refused(name, mode, case):
    model = clients.tiny("bert_tiny_random")
    size = model.spec.size
    vector = {
        "nothing_visible": clients.gradient_of("bert_tiny_random", 1),
        "zero": np.zeros(size, np.float32),
        "nan": np.full(size, np.nan, np.float32),
    }[case]
    view = clients.view_of(model, vector, np.full(size, case == "nothing_visible"))
    reason = applied(name, mode, model, view)
    assert "The gradient must show something" in reason


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model_name", clients.NAMES)
def test_an_attack_that_says_it_converged_is_right(name, model_name):
    model = clients.tiny(model_name)
    truth, classes = clients.batch(model, 1)
    view = clients.view_of(model, clients.gradient_of(model_name, 1))
    found = applied(name, "mask_aware", model, view)
    assert name != "dager" or found.converged
    if not isinstance(found, str) and found.converged:
        np.testing.assert_array_equal(found.examples, truth)
        np.testing.assert_array_equal(found.labels, classes)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_does_not_fit_is_refused(name):
    model = clients.tiny("bert_tiny_random")
    view = clients.view_of(model, clients.gradient_of("bert_tiny_random", 1))
    local = applied(
        name, "mask_aware", model, view, local_training=LocalTraining(0.5, epochs=2)
    )
    assert "`knowledge.local_training` must be None" in local
    pictures = knowledge.Knowledge(victims.tiny_model())
    assert "must take tokens" in catalog.why_not(ATTACKS[name], pictures)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_view_of_another_model_is_refused(name):
    model, other = map(clients.tiny, clients.NAMES)
    view = clients.view_of(other, np.zeros(other.spec.size, np.float32))
    attack = catalog.build(name)
    with pytest.raises(ValueError, match=r"`view.weights` must have the shapes"):
        attack(view, clients.known(model), SEED)
