import keras
import numpy as np
import pytest

from attacks import knowledge
from attacks import target as target_lib
from attacks.analytic import dense_layers, r_gap, r_gap_head, r_gap_layers
from attacks.metrics import evaluation
from selenc_tf.models import lenet, r_gap_cnn
from tests.attacks import victims
from tests.attacks.test_completion import pictures, tiny_chain

SEED = (1, 2)


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
    assert first.slope == 0.2 and second.strides == (2, 2) and first.bias is None
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
    assert np.all((result.images >= 0) & (result.images <= 1))


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
    found = r_gap.build_r_gap()(view, knowledge.Knowledge(chain), SEED)
    assert found.stop == "underdetermined" and found.label_source == "guessed"
    np.testing.assert_array_equal(found.images, np.float32(0.5))


def test_one_picture_only(chain):
    known = knowledge.Knowledge(chain, batch_size=2)
    view = victims.view_of(chain, [np.zeros(chain.spec.size, np.float32)])
    with pytest.raises(ValueError, match=r"`knowledge.batch_size` must be 1"):
        r_gap.build_r_gap()(view, known, SEED)


def test_other_networks_are_not_chains():
    # Its sigmoids stand inside the convolutions.
    assert r_gap_layers.read_chain(lenet.lenet((28, 28, 1), 10, 0)) is None


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
