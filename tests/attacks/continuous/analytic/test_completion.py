"""Completion of dense layers, and the conformance of the closed-form attacks."""

import dataclasses

import numpy as np
import pytest

from attacks import effort, knowledge
from attacks import target as target_lib
from attacks.continuous.analytic import (
    completed_target,
    completion,
    dense_inversion,
    r_gap,
)
from attacks.metrics import evaluation
from selenc_tf.models import mlp
from tests.attacks import victims
from tests.attacks.continuous.analytic.cases import pictures, tiny_chain

build_completion = victims.shared(completion.build_completion)

SEED = (1, 2)
QUICK = effort.Effort(restarts=1, max_iterations=30)


@pytest.fixture(scope="module")
def dense():
    return mlp.mlp((4, 4, 1), 3, 0, hidden=(64, 12))


@pytest.fixture(scope="module")
def chain():
    return tiny_chain()


ATTACKS = {
    "completion": lambda: build_completion(effort=QUICK),
    "dense_inversion": dense_inversion.build_dense_inversion,
    "r_gap": r_gap.build_r_gap,
}


def psnr(found, images, labels):
    records = evaluation.evaluate(found, evaluation.Truth(images, np.array(labels)))
    return min(record.psnr for record in records)


def assert_identical(first, second):
    untimed = {"seconds": 0.0}
    np.testing.assert_equal(
        first._replace(**untimed)._asdict(), second._replace(**untimed)._asdict()
    )


@pytest.mark.parametrize("name", sorted(ATTACKS))
class TestConformance:
    @pytest.fixture
    def model(self, name, dense, chain):
        return chain if name == "r_gap" else dense

    def test_recovers_a_plain_picture(self, name, model):
        images = pictures(model)
        view = victims.view_of(model, [victims.gradient(model, images, (2,))])
        found = ATTACKS[name]()(view, knowledge.Knowledge(model), SEED)
        assert psnr(found, images, (2,)) > 80
        assert found.stop == "closed_form" and found.converged
        assert found.labels.tolist() == [2] and found.label_source == "inferred"
        assert found.objective < 1e-10
        assert found.examples.dtype == np.float32 and found.labels.dtype == np.int64
        assert found.matched_entries > 0

    def test_hidden_entries_are_never_read(self, name, model):
        vector = victims.gradient(model, pictures(model), (1,))
        mask = victims.random_mask(model.spec.size, 0.4)
        attack, known = ATTACKS[name](), knowledge.Knowledge(model)
        first = attack(victims.view_of(model, [vector], mask), known, SEED)
        for poison in (np.float32(np.nan), np.float32(7)):
            poisoned = np.where(mask, poison, vector)
            assert_identical(
                first, attack(victims.view_of(model, [poisoned], mask), known, SEED)
            )

    @pytest.mark.parametrize(
        ("value", "hide", "reason"),
        [
            (1.0, True, "every entry is hidden"),
            (0.0, False, "all visible entries are zero"),
            (np.nan, False, "some visible entry is not finite"),
        ],
    )
    def test_nothing_to_go_by(self, name, model, value, hide, reason):
        vector = np.full(model.spec.size, value, np.float32)
        mask = np.full(model.spec.size, hide)
        view = victims.view_of(model, [vector], mask)
        with pytest.raises(knowledge.DoesNotApply, match=reason):
            ATTACKS[name]()(view, knowledge.Knowledge(model), SEED)


@pytest.mark.parametrize("hidden", [0.5, 0.7])
def test_random_entries_suffice(dense, hidden):
    images = pictures(dense)
    vector = victims.gradient(dense, images, (0,))
    mask = victims.random_mask(vector.size, hidden)
    view = victims.view_of(dense, [vector], mask)
    found = build_completion()(view, knowledge.Knowledge(dense), SEED)
    assert found.stop == "closed_form" and psnr(found, images, (0,)) > 60


def test_half_of_the_large_entries_hidden():
    model = victims.tiny_model()
    images = victims.tiny_pictures(1)
    vector = victims.gradient(model, images, (0,))
    mask = np.abs(vector) > np.median(np.abs(vector))
    view = victims.view_of(model, [vector], mask)
    found = build_completion()(view, knowledge.Knowledge(model), SEED)
    assert found.stop == "closed_form" and psnr(found, images, (0,)) > 60


def test_hidden_biases_leave_the_scale_to_the_matching(dense):
    images = pictures(dense)
    vector = victims.gradient(dense, images, (1,))
    mask = np.concatenate(
        [np.full(size, len(shape) == 1) for size, shape in sizes_and_shapes(dense)]
    )
    view = victims.view_of(dense, [vector], mask)
    known = knowledge.Knowledge(dense)
    found = build_completion()(view, known, SEED)
    assert psnr(found, images, (1,)) > 60
    with pytest.raises(knowledge.DoesNotApply, match="no pixel follows"):
        dense_inversion.build_dense_inversion()(view, known, SEED)


def sizes_and_shapes(model):
    return zip(model.spec.sizes, model.spec.shapes, strict=True)


def test_undetermined_pixels_are_filled(dense):
    images = pictures(dense)
    vector = victims.gradient(dense, images, (1,))
    mask = np.zeros(vector.size, np.bool_)
    mask[: 3 * 64] = True  # all weights of the first three pixels
    view = victims.view_of(dense, [vector], mask)
    found = build_completion()(view, knowledge.Knowledge(dense), SEED)
    assert found.stop == "partly_determined" and not found.converged
    flat, truth = found.examples.ravel(), images.ravel()
    np.testing.assert_allclose(flat[3:], truth[3:], atol=1e-4)
    np.testing.assert_allclose(flat[:3], truth[3:].mean(), atol=1e-4)
    public = knowledge.PublicExamples(pictures(dense, 3, 1), np.zeros(3, np.int64))
    known = knowledge.Knowledge(dense, public_examples=public)
    for attack in (build_completion(), dense_inversion.build_dense_inversion()):
        filled = attack(view, known, SEED).examples.ravel()[:3]
        np.testing.assert_allclose(
            filled, public.examples.mean(axis=0).ravel()[:3], 1e-6
        )


class TestBatches:
    LABELS = (0, 1, 2, 2)

    @pytest.fixture
    def wide(self):
        return mlp.mlp((6, 6, 1), 3, 1, hidden=(200,))

    def test_units_that_show_one_picture(self, wide):
        images = pictures(wide, 4)
        vector = victims.gradient(wide, images, self.LABELS)
        known = knowledge.Knowledge(wide, batch_size=4)
        view = victims.view_of(wide, [vector], victims.random_mask(vector.size, 0.3))
        target = target_lib.build_target(view, known, 0, "mask_aware")
        done = completed_target.complete_gradient(
            target, wide, 4, SEED, effort.Effort(max_iterations=400)
        )
        assert done.determined > 0.9 * np.count_nonzero(~target.visible)
        np.testing.assert_allclose(
            done.target.vector[done.known], vector[done.known], atol=1e-6
        )

    def test_classes_go_to_their_pictures(self, wide):
        # Pictures in different corners: units fire for one of them alone.
        images = np.zeros((3, 6, 6, 1), np.float32)
        images[0, :3, :3], images[1, :3, 3:], images[2, 3:, :3] = 0.9, 0.8, 0.7
        images *= pictures(wide, 3)
        vector = victims.gradient(wide, images, (2, 0, 1))
        view = victims.view_of(wide, [vector])
        known = knowledge.Knowledge(wide, batch_size=3)
        for attack in (
            dense_inversion.build_dense_inversion(),
            build_completion(),
        ):
            found = attack(view, known, SEED)
            assert found.stop == "closed_form" and psnr(found, images, (2, 0, 1)) > 60
            assert found.label_source == "inferred"
            truth = evaluation.Truth(images, np.array((2, 0, 1)))
            assert evaluation.label_accuracy(evaluation.evaluate(found, truth)) == 1.0


@pytest.mark.slow
def test_head_of_a_convolutional_net_is_completed_then_matched(chain):
    images = pictures(chain)
    vector = victims.gradient(chain, images, (1,))
    mask = np.zeros(vector.size, np.bool_)
    mask[-300:] = victims.random_mask(300, 0.4)
    view = victims.view_of(chain, [vector], mask)
    known = knowledge.Knowledge(chain)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    done = completed_target.complete_gradient(target, chain, 1, SEED, QUICK)
    known_now = done.known
    assert 0.7 * np.count_nonzero(mask) < done.determined
    np.testing.assert_allclose(
        done.target.vector[known_now], vector[known_now], rtol=1e-4, atol=1e-8
    )
    found = build_completion(effort=QUICK)(view, known, SEED)
    assert found.matched_entries == known_now.sum() and found.iterations > 0
    assert found.labels.tolist() == [1]


def test_other_networks(chain, dense):
    view = victims.view_of(chain, [victims.gradient(chain, pictures(chain), (0,))])
    known = knowledge.Knowledge(chain)
    with pytest.raises(knowledge.DoesNotApply, match="its first weights are 'conv2d"):
        dense_inversion.build_dense_inversion()(view, known, SEED)
    with pytest.raises(knowledge.DoesNotApply, match="hidden entries that follow"):
        build_completion()(view, known, SEED)
    view = victims.view_of(dense, [victims.gradient(dense, pictures(dense), (0,))])
    with pytest.raises(knowledge.DoesNotApply, match=r"its layer '\w+' \(Dense\)"):
        r_gap.build_r_gap()(view, knowledge.Knowledge(dense), SEED)


def test_weights_come_from_the_view(dense):
    images = pictures(dense)
    view = victims.view_of(dense, [victims.gradient(dense, images, (1,))])
    other = dataclasses.replace(
        knowledge.Knowledge(dense),
        model=dense._replace(
            initial_weights=tuple(0 * tensor for tensor in dense.initial_weights)
        ),
    )
    found = build_completion()(view, other, SEED)
    assert psnr(found, images, (1,)) > 80 and found.objective < 1e-10


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`initial` must be one of"):
        build_completion(initial="noise")
