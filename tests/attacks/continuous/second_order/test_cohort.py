"""The joint attack on all clients of a round, on the tiny dense net."""

import dataclasses

import numpy as np
import pytest

from attacks import knowledge
from attacks import target as target_lib
from attacks.continuous.second_order import cohort, dlg, problems
from attacks.matching import matching
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from tests.attacks import victims

build_cohort = victims.shared(cohort.build_cohort)
build_dlg = victims.shared(dlg.build_dlg)

SEED = (7, 8)
QUICK = lbfgs.Budget(restarts=1, max_iterations=30)
LABELS = (2, 0)


def round_of(model, hidden, labels=LABELS, weights=None, spoil=None):
    """One picture for each client, and the published mean."""
    images = victims.tiny_pictures(len(labels), seed=1)
    vectors = [
        victims.gradient(model, images[index : index + 1], (label,))
        for index, label in enumerate(labels)
    ]
    shares = np.ones(len(labels)) if weights is None else np.array(weights)
    mean = np.average(np.stack(vectors), axis=0, weights=shares).astype(np.float32)
    mask = victims.random_mask(model.spec.size, hidden)
    if spoil is not None:
        vectors = [np.where(mask, np.float32(spoil), vector) for vector in vectors]
    return images, victims.view_of(model, vectors, mask, mean, weights)


def least_psnr(found, images, labels):
    truth = evaluation.Truth(images, np.array(labels))
    return min(record.psnr for record in evaluation.evaluate(found, truth))


def value_at(problem, known, images, labels):
    objective = problems.compiled_objectives(problem, known)(labels)
    return objective(images.astype(np.float64).ravel())


def problem_of(model, one, sizes):
    compiled = victims.PROGRAMS.of(matching.build_matching, model)
    return problems.Problem((one,), sizes, (), compiled)


def test_observations_by_hand(tiny):
    _, view = round_of(tiny, 0.5, weights=(1.0, 3.0))
    found = cohort.round_of(view)
    mask = view.mask
    np.testing.assert_array_equal(found.matched, [~mask, ~mask, mask])
    np.testing.assert_array_equal(found.shares, [[1, 0], [0, 1], [0.25, 0.75]])
    np.testing.assert_array_equal(found.vector[1][~mask], view.messages[1].plain)
    np.testing.assert_array_equal(found.vector[2][mask], view.aggregate[mask])
    assert not found.vector[~found.matched].any()


def test_truth_has_no_error(tiny, with_labels):
    images, view = round_of(tiny, 0.5, weights=(1.0, 3.0))
    known = with_labels(*LABELS)
    problem = problem_of(tiny, cohort.round_of(view), (1, 1))
    assert value_at(problem, known, images, LABELS)[0] < 1e-12
    assert value_at(problem, known, images[::-1], LABELS)[0] > 1e-3


def test_messages_are_divided_by_what_clients_multiplied_by(tiny, with_labels):
    """In a weighted mean clients send sums; their weights may be hidden."""
    _, plain = round_of(tiny, 0.5, weights=(1.0, 3.0))
    sent = [
        message._replace(plain=message.plain * size, weight=float("nan"))
        for message, size in zip(plain.messages, (1, 3), strict=True)
    ]
    view = plain._replace(messages=tuple(sent), multiplied=True)
    expected, found = cohort.round_of(plain), cohort.round_of(view, (1, 3))
    np.testing.assert_allclose(found.vector, expected.vector, rtol=1e-6)
    np.testing.assert_array_equal(found.shares, expected.shares)
    target = target_lib.build_target(
        view, knowledge.Knowledge(tiny, batch_size=3), 1, "mask_aware"
    )
    np.testing.assert_allclose(target.vector, expected.vector[1], rtol=1e-6)


def test_everything_hidden_is_the_attack_on_the_aggregate(tiny, with_labels):
    _, view = round_of(tiny, 1.0)
    known = dataclasses.replace(with_labels(*LABELS), client_sizes=(1, 1))
    target = target_lib.build_target(view, known, "aggregate", "mask_aware")
    alone = problems.Round(view.weights, target.vector, target.matched, target.shares)
    candidate = victims.tiny_pictures(2, seed=9)
    values = [
        value_at(problem_of(tiny, one, (1, 1)), known, candidate, LABELS)
        for one in (alone, cohort.round_of(view))
    ]
    np.testing.assert_allclose(values[0][0], values[1][0], rtol=1e-12)
    np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-9, atol=1e-15)
    joint = build_cohort()(view, known, SEED)
    mean = build_dlg(source="aggregate")(view, known, SEED)
    np.testing.assert_allclose(joint.examples, mean.examples, atol=1e-3)


def test_two_clients_at_half_hidden(tiny, with_labels):
    images, view = round_of(tiny, 0.5)
    joint = build_cohort()(view, with_labels(*LABELS), SEED)
    assert least_psnr(joint, images, LABELS) > 60
    assert joint.matched_entries == 2 * 121 + 122


def test_cohort_sees_more_than_a_message(tiny, with_labels):
    """At 97 % hidden, eight visible entries say little about sixteen pixels."""
    images, view = round_of(tiny, 0.97)
    joint = build_cohort()(view, with_labels(*LABELS), SEED)
    single = build_dlg()(view, with_labels(LABELS[0]), SEED)
    assert least_psnr(joint, images, LABELS) > 10 + least_psnr(
        single, images[:1], LABELS[:1]
    )


def test_labels_are_inferred_for_each_client(tiny, tiny_knowledge):
    images, view = round_of(tiny, 0.3, labels=(2, 0, 1))
    known = dataclasses.replace(tiny_knowledge, batch_size=3)
    found = build_cohort()(view, known, SEED)
    np.testing.assert_array_equal(found.labels, [2, 0, 1])
    assert found.label_source == "inferred"
    assert least_psnr(found, images, (2, 0, 1)) > 50


@pytest.mark.slow
def test_eight_clients(tiny, with_labels):
    labels = (0, 1, 2, 0, 1, 2, 0, 1)
    images, view = round_of(tiny, 0.5, labels)
    found = build_cohort()(view, with_labels(*labels), SEED)
    assert least_psnr(found, images, labels) > 40


def test_earlier_rounds_join(tiny, with_labels):
    _, view = round_of(tiny, 0.5)
    known = dataclasses.replace(with_labels(*LABELS), earlier=(view,))
    once = build_cohort(budget=QUICK)(view, with_labels(*LABELS), SEED)
    twice = build_cohort(budget=QUICK)(view, known, SEED)
    np.testing.assert_allclose(once.examples, twice.examples, atol=1e-6)
    assert twice.matched_entries == 2 * once.matched_entries


def test_hidden_entries_of_messages_are_never_read(tiny, with_labels):
    views = [round_of(tiny, 0.5, spoil=value)[1] for value in (None, np.nan)]
    attack = build_cohort(budget=QUICK)
    first, second = (attack(view, with_labels(*LABELS), SEED) for view in views)
    np.testing.assert_array_equal(first.examples, second.examples)
    assert first.objective == second.objective


def test_not_finite_is_reported(tiny, with_labels):
    _, view = round_of(tiny, 0.5)
    broken = view._replace(aggregate=np.full_like(view.aggregate, np.nan))
    found = build_cohort(budget=QUICK)(broken, with_labels(*LABELS), SEED)
    assert found.stop == "not_finite" and np.all(np.isfinite(found.examples))


def test_errors_name_the_argument(tiny, with_labels):
    _, view = round_of(tiny, 0.5)
    run, known = build_cohort(), with_labels(*LABELS)
    with pytest.raises(ValueError, match=r"`view.aggregate` must be there"):
        run(view._replace(aggregate=None), known, SEED)
    with pytest.raises(ValueError, match=r"`view.messages` must be those of at least"):
        run(view._replace(messages=view.messages[:1]), known, SEED)
    with pytest.raises(ValueError, match=r"`knowledge.client_sizes` must say how"):
        _, uneven = round_of(tiny, 0.5, weights=(1.0, 2.0))
        run(uneven, known, SEED)
    with pytest.raises(ValueError, match=r"`knowledge.client_sizes` must have one"):
        run(view, knowledge.Knowledge(tiny, client_sizes=(1,)), SEED)
    with pytest.raises(ValueError, match="`initial` must be one of"):
        build_cohort(initial="noise")
