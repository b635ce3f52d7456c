"""What holds for every attack on numbers in the catalogue, by its entry alone."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest

from attacks import catalog, knowledge, words
from attacks import effort as effort_lib
from attacks.metrics import evaluation
from selenc_tf.models.local_steps import LocalTraining
from tests.attacks import conformance, victims

SEED = (1, 2)
QUICK = effort_lib.Effort(restarts=1, max_iterations=6, max_seconds=20)
THOROUGH = effort_lib.Effort(restarts=1, max_iterations=150)
ATTACKS = {
    name: entry
    for name, entry in catalog.ATTACKS.items()
    if entry.inputs in (words.NUMBERS, words.PICTURES)
}
CASES = [
    pytest.param(
        name,
        mode,
        id=f"{name}-{mode}",
        # The naive mode differs in the target, which all attacks share.
        marks=[pytest.mark.slow] if len(entry.modes) > 1 and mode == "naive" else [],
    )
    for name, entry in ATTACKS.items()
    for mode in entry.modes
]
MODELS = (
    victims.tiny_model,
    functools.partial(victims.tiny_convolution, "sigmoid", "valid"),
    functools.partial(victims.tiny_convolution, "relu", "same"),
    victims.tiny_rectified,
)


@functools.cache
def model_of(index):
    return MODELS[index]()


@functools.cache
def model_for(name):
    """The first model that the attack fits: there has to be one."""
    for index in range(len(MODELS)):
        model = model_of(index)
        view = view_for(name, model, plain(model), nothing_hidden(model))
        try:
            built(name, "mask_aware")(view, known(name, model, view), SEED)
        except knowledge.DoesNotApply:
            continue
        return model
    raise AssertionError(f"{name} applies to none of the models")


@functools.cache
def gradients_of(index):
    images = victims.tiny_pictures(2)
    model = model_of(index)
    return tuple(
        victims.gradient(model, images[index : index + 1], (index,))
        for index in range(2)
    )


def plain(model):
    """The gradients of two pictures."""
    index = next(i for i in range(len(MODELS)) if model_of(i) is model)
    return list(gradients_of(index))


def nothing_hidden(model):
    return np.zeros(model.spec.size, bool)


def size_of(name):
    return 2 if ATTACKS[name].sees == "cohort" else 1


def known(name, model, view, **changes):
    """What the attack needs, and no more."""
    pictures = victims.tiny_pictures(12, seed=5)
    has = {
        "public_examples": knowledge.PublicExamples(pictures, np.arange(12) % 3),
        "earlier": (view,),
    }
    needs = ATTACKS[name].needs
    granted = {field: has[field] for field in needs}
    fields = {"batch_size": size_of(name), **granted, **changes}
    return knowledge.Knowledge(model, **fields)


def built(name, mode, effort=QUICK):
    return catalog.build(name, mode, effort=effort, programs=victims.PROGRAMS)


def view_for(name, model, gradients, mask):
    """One message, or two with what is published of them."""
    if size_of(name) == 1:
        return victims.view_of(model, gradients[:1], mask)
    aggregate = np.mean(np.nan_to_num(gradients), axis=0).astype(np.float32)
    return victims.view_of(model, gradients, mask, aggregate)


def check_well_formed(found, name):
    size = size_of(name)
    assert (
        found.examples.shape == (size, 4, 4, 1) and found.examples.dtype == np.float32
    )
    assert np.all((found.examples >= 0) & (found.examples <= 1))
    assert found.labels.shape == (size,) and found.labels.dtype == np.int64
    assert np.all((found.labels >= 0) & (found.labels < 3))
    assert found.seconds >= 0 and found.stop and found.label_source


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_hidden_entries_are_never_read(name, mode):
    """The same bits, and so the same from run to run too."""
    model = model_for(name)
    mask = victims.random_mask(model.spec.size, 0.3)
    gradients = plain(model)
    aggregate = np.mean(gradients, axis=0) if size_of(name) > 1 else None
    sent = gradients[: size_of(name)]
    view = victims.view_of(model, sent, mask, aggregate)
    found = conformance.check_hidden_entries_are_never_read(
        built(name, mode), known(name, model, view), model, sent, mask, aggregate, SEED
    )
    check_well_formed(found, name)


SEARCH_ZEROS_TOO = ("gradinversion", "inverting_gradients", "quick_inversion")
"""A gradient of zeros is searched for like any other, as by `modern` every day."""
HOPELESS = [
    pytest.param(
        case,
        *one.values,
        id=f"{case}-{one.id}",
        marks=[pytest.mark.slow]
        if case == "zero" and one.values[0] in SEARCH_ZEROS_TOO
        else one.marks,
    )
    for case in ("nothing_visible", "zero", "nan")
    for one in CASES
]


@pytest.mark.parametrize(("case", "name", "mode"), HOPELESS)
def test_a_hopeless_view_has_a_defined_answer(name, mode, case):
    model = model_for(name)
    size = model.spec.size
    gradients = {
        "nothing_visible": plain(model),
        "zero": [np.zeros(size, np.float32)] * 2,
        "nan": [np.full(size, np.nan, np.float32)] * 2,
    }[case]
    view = view_for(name, model, gradients, np.full(size, case == "nothing_visible"))
    try:
        found = built(name, mode)(view, known(name, model, view), SEED)
    except knowledge.DoesNotApply as reason:
        assert "The gradient must show something" in str(reason)
        return
    check_well_formed(found, name)
    assert not found.converged or case == "zero"


@functools.cache
def of_a_plain_picture(name):
    """What an attack says and what it leaks, where nothing is hidden."""
    model = model_for(name)
    view = view_for(name, model, plain(model), nothing_hidden(model))
    found = built(name, "mask_aware", THOROUGH)(view, known(name, model, view), SEED)
    size = size_of(name)
    truth = evaluation.Truth(victims.tiny_pictures(2)[:size], np.arange(size))
    return found, evaluation.evaluate(found, truth)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_says_it_converged_is_right(name):
    found, leaks = of_a_plain_picture(name)
    if found.converged:
        assert all(leak.psnr > 60 and leak.label_correct for leak in leaks)


def test_some_attacks_converge():
    """Or the test above would be empty."""
    converged = (name for name in ATTACKS if of_a_plain_picture(name)[0].converged)
    assert len(list(itertools.islice(converged, 5))) == 5


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, entry in ATTACKS.items() for field in entry.needs],
)
def test_missing_knowledge_is_named(name, field):
    model = model_for(name)
    view = view_for(name, model, plain(model), nothing_hidden(model))
    default = knowledge.Knowledge(model)
    without = {field: getattr(default, field)}
    with pytest.raises(knowledge.DoesNotApply, match=field):
        built(name, "mask_aware")(view, known(name, model, view, **without), SEED)


@pytest.mark.parametrize(
    "name", [name for name, entry in ATTACKS.items() if entry.one_example]
)
def test_several_pictures_are_refused_by_attacks_on_one(name):
    model = model_for(name)
    view = view_for(name, model, plain(model), nothing_hidden(model))
    two = known(name, model, view, batch_size=2)
    with pytest.raises(
        knowledge.DoesNotApply, match=r"`knowledge\.batch_size` must be 1"
    ):
        built(name, "mask_aware")(view, two, SEED)


@pytest.mark.parametrize("name", ATTACKS)
def test_local_training_is_taken_into_account_or_does_not_apply(name):
    """The message of several steps is explained if it is declared, or not at all."""
    training = LocalTraining(0.5, epochs=2)
    model, size = model_for(name), size_of(name)
    images = victims.tiny_pictures(2)
    sent = [
        victims.update(model, images[index : index + 1], (index,), training)
        for index in range(size)
    ]
    view = view_for(name, model, sent, nothing_hidden(model))
    declared = known(
        name, model, view, labels=tuple(range(size)), local_training=training
    )
    attack = built(name, "mask_aware", THOROUGH)
    if not ATTACKS[name].local_training:
        with pytest.raises(knowledge.DoesNotApply, match="local_training"):
            attack(view, declared, SEED)
        return
    truth = evaluation.Truth(images[:size], np.arange(size))
    undeclared = dataclasses.replace(declared, local_training=None)
    found = [attack(view, told, SEED) for told in (declared, undeclared)]
    local, wrong = (evaluation.evaluate(one, truth)[0].psnr for one in found)
    guess = found[0].stop == "prior_only"
    assert local == wrong if guess else local > 60 > wrong + 10


@pytest.mark.parametrize("name", ATTACKS)
def test_a_view_of_another_model_is_refused(name):
    model = model_for(name)
    other = victims.tiny_model(num_classes=4)
    vector = np.zeros(other.spec.size, np.float32)
    view = victims.view_of(other, [vector, vector], aggregate=vector)
    own = view_for(name, model, plain(model), nothing_hidden(model))
    with pytest.raises(ValueError, match=r"`view.weights` must have the shapes"):
        built(name, "mask_aware")(view, known(name, model, own), SEED)
