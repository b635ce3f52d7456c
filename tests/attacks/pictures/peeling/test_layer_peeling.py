"""The attack, layer by layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import effort, knowledge, modality
from attacks.metrics import evaluation
from attacks.pictures.peeling import (
    layer_peeling,
    newton,
    peel,
    top,
)
from selenc_tf.models import convnet64, functional
from tests.attacks import victims
from tests.attacks.chains import Net, build_net, picture, with_parts

build_layer_peeling = victims.shared(layer_peeling.build_layer_peeling)


SEED = (1, 2)
layers = keras.layers


def psnr(found, image):
    truth = evaluation.Truth(image, found.labels)
    return evaluation.evaluate(found, truth)[0].psnr


def attack(
    net, view, iterations=40, *, labels=None, public=None, restarts=1, **options
):
    limits = effort.Effort(
        restarts, iterations, max_seconds=options.pop("max_seconds", None)
    )
    build = build_layer_peeling(effort=limits, **options)
    known = knowledge.Knowledge(net.model, labels=labels, public_examples=public)
    return build(view, known, SEED)


def view_of(net, image, mask=None, value=None):
    """The client's view; hidden entries replaced by a value first."""
    vector = victims.gradient(net.model, image, (1,))
    if value is not None:
        vector = np.where(mask, np.float32(value), vector)
    return victims.view_of(net.model, [vector], mask)


def assert_identical(first, second):
    untimed = {"seconds": 0.0}
    np.testing.assert_equal(
        first._replace(**untimed)._asdict(), second._replace(**untimed)._asdict()
    )


def check_well_formed(found, net):
    shape = (1, *net.model.input_shape)
    assert found.examples.shape == shape and found.examples.dtype == np.float32
    assert np.all((found.examples >= 0) & (found.examples <= 1))
    assert found.labels.shape == (1,) and found.labels.dtype == np.int64
    assert found.converged == (found.stop in {"closed_form", "tolerance"})


@pytest.mark.parametrize("hidden", [0.0, 0.3])
def test_every_layer_comes_off(easy, hidden):
    image = picture(easy.model.input_shape)
    mask = victims.random_mask(easy.model.spec.size, hidden)
    found = attack(easy, view_of(easy, image, mask))
    check_well_formed(found, easy)
    assert found.stop == "closed_form" and psnr(found, image) > 60
    assert found.iterations == 0 and found.objective < 1e-10
    assert found.labels.tolist() == [1] and found.label_source == "inferred"
    # Every entry of the kernels and the head, no more.
    biases = [
        size
        for size, shape in zip(
            easy.model.spec.sizes, easy.model.spec.shapes, strict=True
        )
        if len(shape) == 1
    ]
    kernels = easy.model.spec.size - sum(biases)
    if not hidden:
        assert found.matched_entries == kernels + biases[-1]
    assert found.matched_entries <= np.count_nonzero(~mask)


def test_a_layer_that_determines_the_picture(told):
    """Below it no layer comes off, and no search is needed."""
    image = picture(told.model.input_shape)
    steps = []
    found = attack(
        told, view_of(told, image), progress=lambda *step: steps.append(step)
    )
    check_well_formed(found, told)
    assert found.stop == "tolerance" and psnr(found, image) > 80
    assert found.objective < 1e-9 and 0 < found.iterations < 40
    assert all(count % 5 == 0 for _, count, _ in steps)


@pytest.mark.slow
def test_steps_end_what_a_search_has_left(told, monkeypatch):
    """Also where they were stopped too early before it."""
    image = picture(told.model.input_shape)
    monkeypatch.setattr(layer_peeling, "_STEPS", 1)
    monkeypatch.setattr(peel, "descend", lambda _, level, *__: (level, False))
    found = attack(told, view_of(told, image), 120)
    check_well_formed(found, told)
    assert found.stop == "tolerance" and psnr(found, image) > 80
    assert 90 < found.iterations < 120


def test_an_output_that_is_not_known(easy, monkeypatch):
    """Its channel's equations are left out, and the layer comes off all the same."""
    image = picture(easy.model.input_shape)
    read = top.read

    def partly(*arguments):
        found = read(*arguments)
        lost = np.arange(found.values.size) == np.argmax(found.values)
        return found._replace(
            values=np.where(lost, 0.0, found.values), known=found.known & ~lost
        )

    monkeypatch.setattr(top, "read", partly)
    found = attack(easy, view_of(easy, image))
    assert found.stop == "closed_form" and psnr(found, image) > 60


def test_public_pictures_of_the_class_come_first(easy, monkeypatch):
    image = picture(easy.model.input_shape)
    pictures = np.concatenate([picture((8, 8, 3), seed) for seed in range(1, 6)])
    public = modality.PublicExamples(pictures, np.array([1, 0, 1, 2, 1]))
    begun, descend = [], peel.descend

    def watched(problem, level, candidates, deadline=None, walks=None):
        begun.extend(candidates)
        return descend(problem, level, candidates, deadline, walks)

    monkeypatch.setattr(peel, "descend", watched)
    found = attack(easy, view_of(easy, image), public=public)
    assert found.stop == "closed_form" and psnr(found, image) > 60
    assert len(begun) == 3 + 4
    np.testing.assert_array_equal(begun[:3], pictures[[0, 2, 4]])


@pytest.mark.slow
def test_a_trained_network():
    """Few of its channels are on, and most of each picture is black."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 152)
    images = np.zeros((152, 18, 18, 1), np.float32)
    for image, label in zip(images, labels, strict=True):
        row, column = generator.integers(2, 6, 2)
        size = [(12, 3), (3, 12), (8, 8)][label]
        bar = generator.uniform(0.5, 1.0, size)
        image[row : row + size[0], column : column + size[1], 0] = bar
    keras_model = convnet64.convnet((18, 18, 1), 3, 0, width=8).keras_model
    adam = keras.optimizers.Adam(1e-3)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = keras_model(images, training=False)
            losses = keras.losses.sparse_categorical_crossentropy(
                labels, logits, from_logits=True
            )
            loss = tf.reduce_mean(losses)
        slopes = tape.gradient(loss, keras_model.trainable_weights)
        adam.apply_gradients(zip(slopes, keras_model.trainable_weights, strict=True))
        return loss

    adam.build(keras_model.trainable_weights)
    for number in range(120):
        loss = step(*(part[12:][number % 7 :: 7] for part in (images, labels)))
    assert loss < 0.2
    net = Net(functional.from_keras(keras_model, training=False), ())
    public = modality.PublicExamples(images[12:], labels[12:])
    vector = victims.gradient(net.model, images[:1], (labels[0],))
    found = attack(net, victims.view_of(net.model, [vector]), 200, public=public)
    assert found.stop == "tolerance" and psnr(found, images[:1]) > 60


@pytest.mark.slow
def test_what_is_left_is_searched(hard):
    image = picture(hard.model.input_shape)
    steps = []
    found = attack(
        hard,
        view_of(hard, image),
        120,
        progress=lambda *step: steps.append(step),
    )
    check_well_formed(found, hard)
    assert found.stop == "iterations" and found.iterations == 120
    assert psnr(found, image) > 25
    assert steps[-1][1] == 120 and steps[-1][2] < steps[0][2]


@pytest.mark.slow
def test_a_layer_that_resisted_is_tried_again(easy, monkeypatch):
    image = picture(easy.model.input_shape)
    calls, descend = [], peel.descend
    monkeypatch.setattr(newton, "applies", lambda *_: False)

    def stubborn(problem, level, candidates, deadline=None, walks=None):
        calls.append(len(candidates))
        if len(calls) == 1:
            return level, True
        return descend(problem, level, candidates, deadline, walks)

    monkeypatch.setattr(peel, "descend", stubborn)
    found = attack(easy, view_of(easy, image), 90)
    assert calls == [4, 1] and found.iterations == 30
    assert found.stop == "closed_form" and psnr(found, image) > 60


@pytest.mark.slow
def test_iterations_are_shared_by_the_starts(hard):
    image = picture(hard.model.input_shape)
    steps = []
    found = attack(
        hard,
        view_of(hard, image),
        20,
        restarts=3,
        progress=lambda *step: steps.append(step),
    )
    assert {start for start, *_ in steps} == {0, 1, 2}
    assert 18 <= found.iterations <= 20


@pytest.mark.parametrize(
    "name",
    ["easy", *(pytest.param(one, marks=pytest.mark.slow) for one in ("told", "hard"))],
)
def test_hidden_entries_are_never_read(name, request):
    """The same bits, and so the same from run to run too."""
    net = request.getfixturevalue(name)
    image = picture(net.model.input_shape)
    mask = victims.random_mask(net.model.spec.size, 0.3)
    # Neither value, whatever an attack may make of one that is not finite.
    first, second = (
        attack(net, view_of(net, image, mask, value), 5) for value in (7.0, np.nan)
    )
    check_well_formed(first, net)
    assert_identical(first, second)


@pytest.mark.parametrize(
    ("hidden", "enough"),
    [
        pytest.param(0.2, True, marks=pytest.mark.slow),
        (0.4, True),
        pytest.param(0.5, True, marks=pytest.mark.slow),
        pytest.param(0.7, False, marks=pytest.mark.slow),
    ],
)
def test_a_closed_form_is_right(easy, hidden, enough):
    """It is claimed where it is right; with too few equations there is a search."""
    image = picture(easy.model.input_shape)
    mask = victims.random_mask(easy.model.spec.size, hidden)
    mask[-(12 * 5 + 5) :] = False
    found = attack(easy, view_of(easy, image, mask), 5)
    check_well_formed(found, easy)
    assert (found.stop == "closed_form") == enough
    assert (psnr(found, image) > 60) == enough


def test_weights_come_from_the_view(easy):
    image = picture(easy.model.input_shape)
    other = easy.model._replace(
        initial_weights=tuple(0 * part for part in easy.model.initial_weights)
    )
    found = attack(Net(other, ()), view_of(easy, image))
    assert found.stop == "closed_form" and psnr(found, image) > 60


@pytest.mark.slow
def test_gradients_of_no_picture(easy):
    """The head is right, and what lies below it is noise."""
    vector = victims.gradient(easy.model, picture((8, 8, 3)), (1,))
    generator = np.random.default_rng(0)
    end = vector.size - (12 * 5 + 5)
    vector[:end] = generator.standard_normal(end)
    found = attack(easy, victims.view_of(easy.model, [vector]), 5)
    check_well_formed(found, easy)
    assert found.stop == "iterations"


@pytest.mark.parametrize("pool", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_without_a_relu_there_is_a_search(pool):
    net = Net(with_parts(layers.MaxPooling2D(pool)), ())
    found = attack(net, view_of(net, picture((8, 8, 3))), 5)
    check_well_formed(found, net)
    assert found.stop == "iterations" and found.iterations == 5


def test_one_picture_only(easy):
    known = knowledge.Knowledge(easy.model, batch_size=2)
    view = view_of(easy, picture((8, 8, 3)))
    with pytest.raises(ValueError, match=r"`knowledge.batch_size` must be 1"):
        build_layer_peeling()(view, known, SEED)


def test_another_network():
    net = Net(victims.tiny_model(), ())
    with pytest.raises(knowledge.DoesNotApply, match=r"'flatten\w*' \(Flatten\)"):
        attack(net, view_of(net, victims.tiny_pictures(1)))


@pytest.mark.parametrize("rows", [6, 12])
def test_a_partly_hidden_head(rows):
    """Twelve inputs of 18 classes: the first are nearly all that can be solved for."""
    net = build_net((8, 8, 3), ((16, 0), (32, -2)), (12,), classes=18)
    mask = np.zeros(net.model.spec.size, np.bool_)
    head = mask[-(12 * 18 + 18) :].reshape(13, 18)
    head[:rows] = head[:, 1] = head[-1] = True
    image = picture((8, 8, 3))
    if rows == 12:
        with pytest.raises(knowledge.DoesNotApply, match="too few entries are visible"):
            attack(net, view_of(net, image, mask))
        return
    found = attack(net, view_of(net, image, mask))
    assert found.stop == "closed_form" and psnr(found, image) > 60
    assert found.labels.tolist() == [1] and found.label_source == "inferred"


def test_a_hidden_head(easy):
    mask = np.zeros(easy.model.spec.size, np.bool_)
    mask[-(12 * 5 + 5) :] = True
    with pytest.raises(knowledge.DoesNotApply, match="too few entries are visible"):
        attack(easy, view_of(easy, picture((8, 8, 3)), mask))


@pytest.mark.parametrize(
    ("value", "hidden", "reason"),
    [
        (1.0, True, "every entry is hidden"),
        (0.0, False, "all visible entries are zero"),
        (np.nan, False, "not finite"),
        (np.inf, False, "not finite"),
    ],
)
def test_nothing_to_go_by(easy, value, hidden, reason):
    vector = np.full(easy.model.spec.size, value, np.float32)
    mask = np.full(vector.size, hidden)
    with pytest.raises(knowledge.DoesNotApply, match=reason):
        attack(easy, victims.view_of(easy.model, [vector], mask))


@pytest.mark.parametrize("name", ["easy", pytest.param("hard", marks=pytest.mark.slow)])
def test_no_time(name, request):
    net = request.getfixturevalue(name)
    image = picture(net.model.input_shape)
    found = attack(net, view_of(net, image), 500, max_seconds=1e-6)
    check_well_formed(found, net)
    assert found.stop in {"closed_form", "seconds"} and found.iterations <= 50


def test_no_time_for_steps(told):
    image = picture(told.model.input_shape)
    found = attack(told, view_of(told, image), 500, max_seconds=1e-6)
    check_well_formed(found, told)
    assert found.stop == "seconds" and found.iterations == 0
