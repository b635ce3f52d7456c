import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks import knowledge
from attacks import target as target_lib
from attacks.continuous.analytic import r_gap, r_gap_head, r_gap_solve
from attacks.metrics import evaluation
from attacks.structure import activations as r_gap_activations
from attacks.structure import chain as r_gap_layers
from attacks.structure import dense_layers
from selenc_tf.models import functional, lenet, r_gap_cnn
from tests.attacks import victims
from tests.attacks.continuous.analytic.cases import pictures, tiny_chain

SEED = (1, 2)
Activation = r_gap_activations.Activation
ACTIVATIONS = [Activation("leaky_relu", 0.2), Activation("sigmoid"), Activation("tanh")]


@pytest.fixture(scope="module")
def chain():
    return tiny_chain()


def recursion(model, vector, mask, label):
    view = victims.view_of(model, [vector], mask)
    known = knowledge.Knowledge(model)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    layers = r_gap_layers.read_chain(model)
    return r_gap.recurse(view, target, known, layers, label)


def test_constraints_are_the_convolution(chain):
    """Against Keras: W x is its output and K x the gradient of its kernel."""
    first, second = r_gap_layers.read_chain(chain)
    assert first.activation == Activation("leaky_relu", 0.2) and first.bias is None
    assert second.strides == (2, 2)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((1, 8, 8, 6)).astype(np.float32)
    kernel = generator.standard_normal((3, 3, 6, 8)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = keras.ops.conv(padded, kernel, strides=2, padding="valid").numpy()
    matrix = r_gap_layers.weight_constraints(second, kernel.astype(np.float64))
    np.testing.assert_allclose(matrix @ x.ravel(), expected.ravel(), atol=1e-4)
    # Each tap of the kernel's gradient sums k x over the positions that it reads.
    k = generator.standard_normal(second.output_shape)
    rows = r_gap_layers.gradient_constraints(second, (3, 3), k)
    gradient = np.einsum(
        "ijabc,ijd->abcd",
        np.lib.stride_tricks.sliding_window_view(padded[0], (3, 3), (0, 1))[
            ::2, ::2
        ].transpose(0, 1, 3, 4, 2),
        k,
    )
    for channel in range(6):
        np.testing.assert_allclose(
            rows @ x[0, :, :, channel].ravel(),
            gradient[:, :, channel].ravel(),
            atol=1e-5,
        )


@pytest.mark.parametrize(("last_stride", "hidden"), [(2, 0.0), (1, 0.3), (1, 0.5)])
def test_hidden_entries_are_equations_it_does_without(last_stride, hidden):
    model = tiny_chain(last_stride)
    images = pictures(model)
    vector = victims.gradient(model, images, (1,))
    found = recursion(model, vector, victims.random_mask(vector.size, hidden), 1)
    assert found.ranks == found.unknowns == (64, 384)
    np.testing.assert_allclose(found.image, images[0], atol=1e-3)


def test_gradient_equations_are_needed_and_used(chain):
    # 128 outputs for 384 inputs: the other equations come from the kernel's gradient.
    images = pictures(chain)
    vector = victims.gradient(chain, images, (1,))
    mask = np.zeros(vector.size, np.bool_)
    mask[: 9 * 6 + 9 * 6 * 8] = victims.random_mask(9 * 6 + 9 * 6 * 8, 0.1)
    found = recursion(chain, vector, mask, 1)
    assert found.ranks == found.unknowns
    np.testing.assert_allclose(found.image, images[0], atol=1e-3)


def test_unknown_features_of_the_head_cost_gradient_equations():
    model = tiny_chain(last_stride=1)
    images = pictures(model)
    vector = victims.gradient(model, images, (1,))
    mask = np.zeros(vector.size, np.bool_)
    mask[-3 - 512 * 3 : -3 - 510 * 3] = True  # the first two features' rows
    found = recursion(model, vector, mask, 1)
    # Features 0 and 1 are channels 0 and 1 at the first position, so two of eight
    # channels' equations are lost; the eight biases of the convolution say nothing.
    assert found.entries == vector.size - 2 * 3 - 2 * 9 * 6 - 8
    assert found.ranks == found.unknowns
    np.testing.assert_allclose(found.image, images[0], atol=1e-3)


def test_hidden_kernels_leave_the_rank_short(chain):
    vector = victims.gradient(chain, pictures(chain), (1,))
    mask = np.zeros(vector.size, np.bool_)
    mask[: 9 * 6 + 9 * 6 * 8] = True
    found = recursion(chain, vector, mask, 1)
    # 128 outputs of the second convolution cannot say what its 384 inputs were.
    assert found.ranks[1] == 128 and found.ranks[0] == 64
    view = victims.view_of(chain, [vector], mask)
    result = r_gap.build_r_gap()(view, knowledge.Knowledge(chain), SEED)
    assert result.stop == "rank_deficient" and not result.converged
    assert np.all((result.examples >= 0) & (result.examples <= 1))


def test_the_scale_follows_without_any_bias():
    generator = np.random.default_rng(0)
    kernel, bias = generator.standard_normal((20, 4)), generator.standard_normal(4)
    features = generator.standard_normal(20)
    logits = features @ kernel + bias
    delta = np.exp(logits) / np.exp(logits).sum()
    delta[2] -= 1
    vector = np.concatenate([np.outer(features, delta).ravel(), np.zeros(4)])
    visible = np.arange(84) < 80
    layer = dense_layers.DenseLayer(
        "head", slice(0, 80), 20, 4, slice(80, 84), sees_picture=False, head=True
    )
    found = r_gap_head.read(vector, visible, layer, kernel, bias, 2)
    np.testing.assert_allclose(found.features, features, rtol=1e-6)
    np.testing.assert_allclose(found.delta, delta, rtol=1e-6)


def test_hidden_head_is_the_end(chain):
    vector = victims.gradient(chain, pictures(chain), (1,))
    mask = np.zeros(vector.size, np.bool_)
    mask[-3 - 128 * 3 :] = True
    view = victims.view_of(chain, [vector], mask)
    with pytest.raises(knowledge.DoesNotApply, match=r"head's gradient .* 'dense"):
        r_gap.build_r_gap()(view, knowledge.Knowledge(chain), SEED)


def test_one_picture_only(chain):
    known = knowledge.Knowledge(chain, batch_size=2)
    view = victims.view_of(chain, [np.zeros(chain.spec.size, np.float32)])
    with pytest.raises(ValueError, match=r"`knowledge.batch_size` must be 1"):
        r_gap.build_r_gap()(view, known, SEED)


def network(*layers, last_stride=1):
    """8x8 grey pictures, a convolution, the layers, another one, a head of 3 classes.

    A layer that is a name is the activation of both convolutions.
    """
    names = [layer for layer in layers if isinstance(layer, str)]
    hidden = inputs = keras.Input((8, 8, 1))
    for index, (channels, stride) in enumerate(((6, 1), (8, last_stride))):
        hidden = keras.layers.ZeroPadding2D(1)(hidden)
        hidden = keras.layers.Conv2D(
            channels,
            3,
            strides=stride,
            activation=names[0] if names else None,
            kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=index),
        )(hidden)
        for layer in layers:
            hidden = hidden if isinstance(layer, str) else layer(hidden)
        layers = names
    logits = keras.layers.Dense(
        3, kernel_initializer=keras.initializers.RandomUniform(-0.2, 0.2, seed=9)
    )(keras.layers.Flatten()(hidden))
    return functional.from_keras(keras.Model(inputs, logits))


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param(("relu",), id="relu"),
        pytest.param((keras.layers.ReLU(),), id="relu_layer"),
        pytest.param((keras.layers.LeakyReLU(0.0),), id="slope_0"),
        pytest.param((keras.layers.MaxPooling2D(2),), id="pooling"),
        pytest.param(("tanh", keras.layers.Activation("sigmoid")), id="two"),
        pytest.param(
            (keras.layers.ZeroPadding2D(1), keras.layers.Activation("sigmoid")),
            id="sigmoid_of_padding",
        ),
    ],
)
def test_other_networks_are_not_chains(layers):
    model = network(*layers)
    vector = victims.gradient(model, pictures(model), (1,))
    view = victims.view_of(model, [vector])
    with pytest.raises(knowledge.DoesNotApply, match=r"its layer '\w+' \(\w+\)"):
        r_gap.build_r_gap()(view, knowledge.Knowledge(model), SEED)


def test_padding_adds_up_but_not_before_the_head():
    chain = r_gap_layers.read_chain(network(keras.layers.ZeroPadding2D(1), "tanh"))
    assert [layer.padding for layer in chain] == [(1, 1), (2, 2)]
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.ZeroPadding2D(1)(keras.layers.Conv2D(4, 3)(inputs))
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(hidden))
    model = functional.from_keras(keras.Model(inputs, logits))
    with pytest.raises(knowledge.DoesNotApply, match="zero_padding2d"):
        r_gap_layers.read_chain(model)


def test_a_refusal_says_that_there_is_no_convolution():
    inputs = keras.Input((8, 8, 1))
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    model = functional.from_keras(keras.Model(inputs, logits))
    with pytest.raises(knowledge.DoesNotApply, match="it has no convolution"):
        r_gap_layers.read_chain(model)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(ACTIVATIONS),
    st.lists(st.floats(-5, 5), min_size=1, max_size=8).map(np.array),
)
def test_activations_are_undone(activation, z):
    output = r_gap_activations.forward(activation, z)
    np.testing.assert_allclose(
        r_gap_activations.inverse(activation, output), z, rtol=1e-9, atol=1e-9
    )
    step = 1e-6
    ahead, behind = (
        r_gap_activations.forward(activation, z + sign * step) for sign in (1, -1)
    )
    away = (activation.kind != "leaky_relu") | (np.abs(z) > step)
    np.testing.assert_allclose(
        r_gap_activations.derivative(activation, output)[away],
        ((ahead - behind) / (2 * step))[away],
        rtol=1e-4,
    )


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["sigmoid", "tanh"]),
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8).map(np.array),
)
def test_outputs_beyond_the_range_are_finite_and_hardly_trusted(kind, output):
    activation = Activation(kind)
    z = r_gap_activations.inverse(activation, output)
    low, high = (0.0 if kind == "sigmoid" else -1.0), 1.0
    assert np.all(np.abs(z) < 28)
    np.testing.assert_allclose(
        r_gap_activations.forward(activation, z),
        np.clip(output, low, high),
        atol=2e-12,
    )
    trust = r_gap_activations.trust(activation, output)
    outside = (output <= low) | (output >= high)
    assert np.all(trust > 0) and np.all(trust[outside] < 1e-11)


def test_activations_against_keras():
    model = network("tanh")
    layers = r_gap_layers.read_chain(model)
    assert [layer.activation for layer in layers] == [Activation("tanh")] * 2
    z = np.linspace(-4, 4, 9)
    for activation, function in zip(
        ACTIVATIONS,
        (keras.activations.leaky_relu, keras.activations.sigmoid, np.tanh),
        strict=True,
    ):
        np.testing.assert_allclose(
            r_gap_activations.forward(activation, z), np.asarray(function(z)), rtol=1e-6
        )


@pytest.mark.parametrize("kind", ["sigmoid", "tanh"])
@pytest.mark.parametrize("own", [True, False], ids=["own", "layer"])
@pytest.mark.parametrize("hidden", [pytest.param(0.0, marks=pytest.mark.slow), 0.4])
def test_bounded_activations_are_inverted(kind, own, hidden):
    model = network(kind if own else keras.layers.Activation(kind))
    assert r_gap_layers.read_chain(model)[0].activation == Activation(kind)
    images = pictures(model)
    vector = victims.gradient(model, images, (1,))
    found = recursion(model, vector, victims.random_mask(vector.size, hidden), 1)
    assert found.ranks == found.unknowns
    np.testing.assert_allclose(found.image, images[0], atol=1e-3)


def test_unknown_features_follow_through_a_sigmoid():
    model = network("sigmoid")
    images = pictures(model)
    vector = victims.gradient(model, images, (1,))
    mask = np.zeros(vector.size, np.bool_)
    mask[-3 - 512 * 3 : -3 - 510 * 3] = True  # the first two features' rows
    found = recursion(model, vector, mask, 1)
    assert found.ranks == found.unknowns
    np.testing.assert_allclose(found.image, images[0], atol=1e-3)


@pytest.mark.parametrize(("kind", "bias"), [("sigmoid", 18.0), ("tanh", 9.0)])
def test_saturated_outputs_do_not_spoil_the_rest(kind, bias, monkeypatch):
    """The sigmoid of 18 is 1 in float32, and the inverse of 1 is another z."""
    shape = r_gap_layers.read_chain(network(kind))[1]
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 1, 8 * 8 * 6)
    kernel = generator.uniform(-0.5, 0.5, (3, 3, 6, 8))
    weights = r_gap_layers.weight_constraints(shape, kernel)
    biases = np.array([bias] + [0.0] * 7)
    z = weights @ x + np.tile(biases, 64)
    exact = r_gap_activations.forward(shape.activation, z)
    output = exact.astype(np.float32).astype(np.float64)
    wrong = np.abs(r_gap_activations.inverse(shape.activation, output) - z)
    assert np.max(wrong[::8]) > 1
    slopes = generator.standard_normal(output.size)
    layer = r_gap_solve.Layer(
        output=output,
        output_known=np.ones(output.size, np.bool_),
        slopes_of_loss=slopes,
        gradient=np.zeros(kernel.shape),
        visible=np.zeros(kernel.shape, np.bool_),
        kernel=kernel,
        bias=biases,
    )
    found = r_gap_solve.solve(shape, layer)
    assert found.rank == x.size
    np.testing.assert_allclose(found.input, x, atol=1e-4)
    derivative = r_gap_activations.derivative(shape.activation, exact)
    np.testing.assert_allclose(
        found.slopes_of_loss, weights.T @ (slopes * derivative), atol=1e-5
    )
    monkeypatch.setattr(r_gap_activations, "trust", lambda _, a: np.ones_like(a))
    assert np.max(np.abs(r_gap_solve.solve(shape, layer).input - x)) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
def test_lenet(hidden):
    model = lenet.lenet((32, 32, 3), 100, 0)
    pictures_of = victims.cifar100(1)
    vector = victims.gradient(model, pictures_of.images, pictures_of.labels)
    view = victims.view_of(model, [vector], victims.random_mask(vector.size, hidden))
    found = r_gap.build_r_gap()(view, knowledge.Knowledge(model), SEED)
    truth = evaluation.Truth(pictures_of.images, np.array(pictures_of.labels))
    assert evaluation.evaluate(found, truth)[0].psnr > 60
    assert found.stop == "closed_form" and found.label_source == "inferred"


def test_size_of_the_network():
    model = r_gap_cnn.r_gap_cnn((32, 32, 3), 10, 0)
    assert model.spec.size == 154_266
    layers = r_gap_layers.read_chain(model)
    assert [layer.output_shape[0] for layer in layers] == [17, 9, 9, 9, 5, 5]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cifar_on_the_network_of_the_paper():
    model = r_gap_cnn.r_gap_cnn((32, 32, 3), 10, 0)
    image = victims.cifar100(1).images
    view = victims.view_of(model, [victims.gradient(model, image, (3,))])
    found = r_gap.build_r_gap()(view, knowledge.Knowledge(model), SEED)
    truth = evaluation.Truth(image, np.array([3]))
    assert evaluation.evaluate(found, truth)[0].psnr >= 45
    assert found.stop == "closed_form"
