import dataclasses

import numpy as np
import pytest

from attacks import effort
from attacks.continuous.second_order import dlg
from attacks.optimisers import lbfgs
from attacks.pictures.statistical import (
    completed_gradient,
    imputation,
    public_attack,
)
from tests.attacks import victims
from tests.attacks.pictures.statistical import cases

build_dlg = victims.shared(dlg.build_dlg)


@pytest.fixture(scope="module")
def known(tiny_knowledge):
    return cases.with_public(tiny_knowledge)


def completed(known, view, slack=1e-3, max_entries=1000):
    def solve(case):
        return completed_gradient.complete(
            case, batches=100, max_entries=max_entries, slack=slack
        )

    return public_attack.build(solve, 0, victims.PROGRAMS)(view, known, 0)


def test_hidden_entries_are_predicted(tiny, known):
    view, truth = cases.case(tiny, 0.5)
    vector = victims.gradient(tiny, truth.images, (1,))
    found = completed(known, view)
    hidden = view.mask
    error = np.sum((found.target.vector - vector)[hidden] ** 2)
    assert error < 1e-3 * np.sum(vector[hidden] ** 2)
    assert found.target.visible.all() and found.conditional.explained > 0.99
    np.testing.assert_array_equal(found.target.vector[~hidden], vector[~hidden])


def test_weights_fall_with_the_posterior_variance(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    found = completed(known, view)
    full = found.weights[~view.mask]
    imputed = found.weights[view.mask]
    seen = np.sum(found.target.vector[~view.mask].astype(np.float64) ** 2)
    np.testing.assert_allclose(full, 1 / seen, rtol=1e-6)
    assert np.all(imputed > 0) and np.all(imputed <= full[0])
    variance = found.conditional.variance[: len(imputed)]
    np.testing.assert_array_equal(np.argsort(-variance), np.argsort(imputed))
    # eps / (v + eps): equal odds of weights mean a constant product.
    odds = imputed / full[0] / (1 - imputed / full[0])
    large = variance > 1e-9 * variance.max()
    product = (odds * variance)[large]
    np.testing.assert_allclose(product, product[0], rtol=1e-4)


def test_entries_beyond_the_limit_are_not_matched(tiny, known):
    view, _ = cases.case(tiny, 0.5)
    found = completed(known, view, max_entries=20)
    visible = int(np.count_nonzero(~view.mask))
    assert np.count_nonzero(found.weights) == visible + 20
    assert np.count_nonzero(found.target.visible) == visible + 20


def test_beats_matching_where_little_is_visible(tiny, known):
    """Ten entries in 243 do not determine 16 pixels, but they do a plane of three."""
    view, truth = cases.case(tiny, 0.96)
    labelled = dataclasses.replace(known, labels=(1,))
    limits = lbfgs.Budget(restarts=1, max_iterations=150)
    plain = build_dlg("mask_aware", budget=limits)(view, labelled, cases.SEED)
    work = effort.Effort(restarts=1, max_iterations=150)
    found = imputation.build_imputation(effort=work)(view, labelled, cases.SEED)
    assert cases.psnr(found, truth) > cases.psnr(plain, truth) + 5
    assert cases.psnr(found, truth) > 25


def test_is_exact_where_the_visible_entries_determine_the_picture(tiny, known):
    view, _ = cases.case(tiny, 0.3)
    images = victims.tiny_pictures(1)  # Not like the public ones at all.
    vector = victims.gradient(tiny, images, (1,))
    view = victims.view_of(tiny, [vector], view.mask)
    found = imputation.build_imputation()(view, known, cases.SEED)
    assert np.abs(found.examples - images).max() < 1e-3
    assert found.converged and found.stop == "tolerance"
    assert found.labels == [1] and found.label_source == "inferred"


@pytest.mark.slow
def test_batches_of_unknown_labels(tiny, known):
    view, truth = cases.case(tiny, 0.3, count=2)
    pair = dataclasses.replace(known, batch_size=2)
    found = imputation.build_imputation(
        effort=effort.Effort(restarts=2, max_iterations=200), batches=150
    )(view, pair, cases.SEED)
    cases.check_result(found, count=2)
    assert sorted(found.labels) == sorted(truth.labels)
    assert cases.psnr(found, truth) > 25


@pytest.mark.slow
def test_no_leak(tiny, known):
    attack = imputation.build_imputation(effort=cases.QUICK)
    found = cases.check_no_leak(attack, tiny, known)
    cases.check_result(found)
    assert found.matched_entries == 146 and found.iterations <= 12


def test_undefined_cases(tiny, known):
    cases.check_undefined_cases(
        imputation.build_imputation(effort=cases.QUICK), tiny, known
    )


def test_missing_pictures_and_bad_settings_are_refused(tiny, known):
    cases.check_needs_pictures(imputation.build_imputation(), tiny, known)
    with pytest.raises(ValueError, match="`slack` must be positive"):
        imputation.build_imputation(slack=0.0)
    with pytest.raises(ValueError, match="`batches` must be at least 3"):
        imputation.build_imputation(batches=2)
