"""What holds for every attack in the catalogue, by its name alone."""

import dataclasses
import functools
import inspect

import numpy as np
import pytest

from attacks import catalog, knowledge
from attacks import effort as effort_lib
from attacks.metrics import evaluation
from selenc_tf.models.local_steps import LocalTraining
from tests.attacks import victims

SEED = (1, 2)
QUICK = effort_lib.Effort(restarts=1, max_iterations=6, max_seconds=20)
CASES = [
    pytest.param(name, mode, id=f"{name}-{mode}")
    for name, entry in catalog.ATTACKS.items()
    for mode in entry.modes
]
# Attacks that guess without looking at the gradient.
GRADIENT_FREE = {"mean_picture"}
# Where a single network or search is too short to be compared in quality.
EXACT = {"dlg", "idlg", "completion", "dense_inversion", "multi_round"}


@functools.cache
def model():
    return victims.tiny_model()


def known(entry, **changes):
    """What the attack needs, and no more."""
    pictures = victims.tiny_pictures(12, seed=5)
    public = knowledge.PublicPictures(pictures, np.arange(12) % 3)
    return knowledge.Knowledge(
        model(),
        batch_size=2 if entry.sees == "cohort" else 1,
        labels=changes.pop("labels", None),
        public_pictures=public if "public_pictures" in entry.needs else None,
        **changes,
    )


def built(name, mode, effort=QUICK, **options):
    entry = catalog.ATTACKS[name]
    if "programs" in inspect.signature(entry.build).parameters:
        options["programs"] = victims.PROGRAMS
    return entry.build(mode, effort=effort, progress=None, **options)


def view_for(entry, gradients, mask):
    """One message, or two with what is published of them."""
    if entry.sees != "cohort":
        return victims.view_of(model(), gradients[:1], mask)
    aggregate = np.mean(np.nan_to_num(gradients), axis=0).astype(np.float32)
    return victims.view_of(model(), gradients, mask, aggregate)


@functools.cache
def two_gradients():
    images = victims.tiny_pictures(2)
    return tuple(
        victims.gradient(model(), images[index : index + 1], (index,))
        for index in range(2)
    )


def check_well_formed(found, entry):
    size = 2 if entry.sees == "cohort" else 1
    assert found.images.shape == (size, 4, 4, 1) and found.images.dtype == np.float32
    assert np.all((found.images >= 0) & (found.images <= 1))
    assert found.labels.shape == (size,) and found.labels.dtype == np.int64
    assert np.all((found.labels >= 0) & (found.labels < 3))
    assert found.seconds >= 0 and found.stop and found.label_source


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_hidden_entries_are_never_read(name, mode):
    """The same bits, and so the same from run to run too."""
    entry = catalog.ATTACKS[name]
    mask = victims.random_mask(model().spec.size, 0.3)
    gradients = list(two_gradients())
    garbage = [np.where(mask, np.float32(np.nan), vector) for vector in gradients]
    if entry.sees == "cohort":
        # The aggregate is published: its hidden part is no secret.
        views = [
            victims.view_of(model(), each, mask, np.mean(gradients, axis=0))
            for each in (gradients, garbage)
        ]
    else:
        views = [view_for(entry, each, mask) for each in (gradients, garbage)]
    earlier = (views[0],) if entry.sees == "rounds" else ()
    attack = built(name, mode)
    first, second = (
        attack(view, known(entry, earlier=earlier), SEED) for view in views
    )
    check_well_formed(first, entry)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_equal(first.objective, second.objective)


@pytest.mark.parametrize(("name", "mode"), CASES)
@pytest.mark.parametrize("case", ["nothing_visible", "zero", "nan"])
def test_a_hopeless_view_has_a_defined_answer(name, mode, case):
    entry = catalog.ATTACKS[name]
    size = model().spec.size
    gradients = {
        "nothing_visible": list(two_gradients()),
        "zero": [np.zeros(size, np.float32)] * 2,
        "nan": [np.full(size, np.nan, np.float32)] * 2,
    }[case]
    mask = np.full(size, case == "nothing_visible")
    view = view_for(entry, gradients, mask)
    found = built(name, mode)(view, known(entry), SEED)
    check_well_formed(found, entry)
    assert not found.converged or name in GRADIENT_FREE or case == "zero"


@pytest.mark.parametrize("name", sorted(EXACT))
def test_a_plain_picture_is_recovered(name):
    entry = catalog.ATTACKS[name]
    view = view_for(entry, list(two_gradients()), np.zeros(model().spec.size, bool))
    effort = effort_lib.Effort(restarts=1, max_iterations=300)
    found = built(name, "mask_aware", effort)(view, known(entry), SEED)
    truth = evaluation.Truth(victims.tiny_pictures(2)[:1], np.array([0]))
    (leak,) = evaluation.evaluate(found, truth)
    assert leak.psnr > 60 and leak.label_correct


@pytest.mark.parametrize(
    "name", [name for name, entry in catalog.ATTACKS.items() if entry.needs]
)
def test_missing_knowledge_is_named(name):
    entry = catalog.ATTACKS[name]
    view = view_for(entry, list(two_gradients()), np.zeros(model().spec.size, bool))
    for field in entry.needs:
        without = dataclasses.replace(known(entry), **{field: None})
        with pytest.raises(ValueError, match=field):
            built(name, "mask_aware")(view, without, SEED)


@pytest.mark.parametrize(
    "name",
    [name for name, entry in catalog.ATTACKS.items() if entry.local_training],
)
def test_local_training_is_taken_into_account(name):
    """The same message is read differently if it is said to be of two local steps."""
    entry = catalog.ATTACKS[name]
    view = view_for(entry, list(two_gradients()), np.zeros(model().spec.size, bool))
    plain, local = (
        built(name, "mask_aware")(
            view, known(entry, labels=labels, local_training=training), SEED
        )
        for labels in [tuple(range(2 if entry.sees == "cohort" else 1))]
        for training in (None, LocalTraining(0.5, epochs=2))
    )
    assert np.any(plain.images != local.images)


@pytest.mark.parametrize("name", sorted(catalog.ATTACKS))
def test_a_view_of_another_model_is_refused(name):
    entry = catalog.ATTACKS[name]
    other = victims.tiny_model(num_classes=4)
    vector = np.zeros(other.spec.size, np.float32)
    view = victims.view_of(other, [vector, vector], aggregate=vector)
    with pytest.raises(ValueError, match=r"`view.weights` must have the shapes"):
        built(name, "mask_aware")(view, known(entry), SEED)
