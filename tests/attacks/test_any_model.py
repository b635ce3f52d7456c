"""Attacks on models of all kinds: the right number, or a refusal that says why."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog, coupling, criterion, draws, knowledge
from attacks import effort as effort_lib
from attacks import target as target_lib
from attacks.labels import candidates
from attacks.matching import matching
from attacks.metrics import evaluation
from attacks.structure import dense_layers
from selenc_tf.models import functional, value_range
from selenc_tf.models import task as task_lib
from tests.attacks import tables, victims
from tests.attacks.chains import build_net, picture
from tests.attacks.continuous.analytic import cases

SEED = (1, 2)
EFFORT = effort_lib.Effort(restarts=1, max_iterations=120)
L2 = keras.regularizers.L2(0.05)
layers = keras.layers
EXACT = {"dlg", "dense_inversion", "completion", "multi_round", "cohort"}
SLOW = {
    *("multi_round", "cohort", "strongest"),
    *("imputation", "learned_inverter", "learned_start"),
}
"""Tried on one kind of model only."""
OF_RELUS = {"activation_signs", "deep_signs"}
"""Refuse the sigmoids of `row_model`; `test_activation_signs.py` has rows for them."""


def attack(name, view, known):
    return catalog.build(name, effort=EFFORT, programs=victims.PROGRAMS)(
        view, known, SEED
    )


def leaks(found, examples, labels):
    labels = np.array(labels)
    within = np.full(labels.shape[1], 0.05) if labels.ndim == 2 else None
    truth = evaluation.Truth(examples, labels, within)
    return evaluation.evaluate(found, truth)


def public_of(kind, model):
    """Thirty rows that are not the client's."""
    generator = np.random.default_rng(1)
    labels = generator.uniform(size=(30, model.num_classes)).astype(np.float32)
    if kind == "classes":
        labels = np.arange(30) % 3
    return knowledge.PublicExamples(tables.rows(30, 5), labels)


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind == "classes" else pytest.param(kind, marks=pytest.mark.slow)
        for kind in tables.LOSSES
    ],
)
def test_every_attack_on_a_table_is_right_or_refuses(kind):
    """Standardised features and a penalty on weights; labels unknown."""
    model = tables.row_model(kind, regulariser=L2)
    examples, labels = tables.rows(2), tables.LABELS[kind]
    sent = [
        tables.gradient(model, examples[at : at + 1], labels[at : at + 1])
        for at in range(2)
    ]
    exact = set()
    for name, entry in catalog.ATTACKS.items():
        if name in SLOW and kind != "values":
            continue
        size = 2 if entry.sees == "cohort" else 1
        mask = np.zeros(model.spec.size, bool)
        mask[::4] = size == 2
        aggregate = np.mean(sent, axis=0) if size == 2 else None
        view = victims.view_of(model, sent[:size], mask, aggregate)
        known = knowledge.Knowledge(
            model,
            size,
            public_examples=public_of(kind, model) if entry.needs else None,
            earlier=(view,) if entry.sees == "rounds" else (),
        )
        reason = catalog.why_not(entry, known)
        if reason is not None:
            with pytest.raises(knowledge.DoesNotApply) as refusal:
                attack(name, view, known)
            assert str(refusal.value) == f"{reason}."
            continue
        if name in OF_RELUS:
            with pytest.raises(knowledge.DoesNotApply, match="a ReLU"):
                attack(name, view, known)
            continue
        found = attack(name, view, known)
        assert found.examples.shape == (size, 6) and found.examples.dtype == np.float32
        assert np.all((found.examples >= 0) & (found.examples <= 1))
        if found.converged:
            records = leaks(found, examples[:size], labels[:size])
            assert all(one.psnr > 60 and one.label_correct for one in records), name
            exact.add(name)
    assert exact >= (EXACT if kind == "values" else EXACT - SLOW)


@pytest.mark.slow
def test_known_numbers_are_used():
    model, labels = tables.row_model("values", regulariser=L2), ((0.7, -1.2),)
    vector = tables.gradient(model, tables.rows(1), labels)
    view = victims.view_of(model, [vector])
    for name in ("dlg", "quick_inversion", "mean_picture"):
        found = attack(name, view, knowledge.Knowledge(model, labels=labels))
        assert found.label_source == "known"
        np.testing.assert_allclose(found.labels, labels, rtol=1e-6)
        exact = leaks(found, tables.rows(1), labels)[0].psnr > 60
        assert exact or name == "mean_picture"
    # Another label explains another row.
    wrong = knowledge.Knowledge(model, labels=((5.0, 5.0),))
    assert not attack("dlg", view, wrong).converged


def test_values_of_another_scale_are_searched_for():
    model, labels = tables.row_model("values", regulariser=L2), ((1700.0, -200.0),)
    view = victims.view_of(model, [tables.gradient(model, tables.rows(1), labels)])
    found = attack("dlg", view, knowledge.Knowledge(model))
    (leak,) = leaks(found, tables.rows(1), labels)
    assert found.label_source == "optimised" and leak.psnr > 60 and leak.label_correct


@pytest.mark.parametrize("hidden_bias", [False, True])
@pytest.mark.parametrize(
    "kind", ["classes", pytest.param("values", marks=pytest.mark.slow)]
)
def test_a_first_layer_shows_rows_in_any_unit(kind, hidden_bias):
    """Without a visible bias the scale, and its sign, are found by the matching."""
    low, high = [-3, 10, -40, 0, 0.5, -1], [3, 20, 2, 1, 0.7, 9]
    model = in_units(tables.row_model(kind), low, high)
    # A first kernel that large inputs do not saturate.
    kernel, *rest = model.initial_weights
    model = model._replace(initial_weights=(kernel * 0.02, *rest))
    examples, labels = tables.rows(1), tables.LABELS[kind][:1]
    mask = np.zeros(model.spec.size, bool)
    mask[60:70] = hidden_bias
    vector = tables.gradient(model, examples, labels)
    view = victims.view_of(model, [vector], mask)
    found = attack("completion", view, knowledge.Knowledge(model))
    assert found.stop == "closed_form"
    assert leaks(found, examples, labels)[0].psnr > (60 if hidden_bias else 90)


def in_units(model, low, high):
    return functional.from_task(
        model.task, value_range=value_range.value_range(low, high)
    )._replace(initial_weights=model.initial_weights)


@pytest.mark.parametrize("name", ["r_gap", "layer_peeling"])
def test_convolutions_show_pictures_in_any_unit(name):
    if name == "r_gap":
        model = cases.tiny_chain(1)
        image = cases.pictures(model)
    else:
        net = build_net((8, 8, 3), ((12, 0),), norm=False)
        model, image = net.model, picture((8, 8, 3))
    own = in_units(model, -0.5, 1.2)
    vector = victims.gradient(own, image, (1,))
    view = victims.view_of(own, [vector])
    found = attack(name, view, knowledge.Knowledge(own))
    assert found.stop == "closed_form" and leaks(found, image, (1,))[0].psnr > 60


def test_a_penalty_is_taken_off():
    plain = tables.row_model("classes")
    model = tables.row_model("classes", regulariser=L2)
    examples, labels = tables.rows(2), (2, 0)
    sent = tables.gradient(model, examples, labels)
    view = victims.view_of(model, [sent], np.arange(model.spec.size) % 5 == 0)
    known = knowledge.Knowledge(model, 2)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    wanted = np.where(view.mask, 0, tables.gradient(plain, examples, labels))
    np.testing.assert_allclose(target.plain, wanted, atol=2e-8)
    assert np.max(np.abs(target.vector - wanted)) > 1e-2


def test_a_penalty_on_activities_leaves_only_the_matching():
    penalty = layers.ActivityRegularization(l2=0.1)
    model = tables.row_model("classes", (lambda: penalty,))
    vector = tables.gradient(model, tables.rows(1), (2,))
    view = victims.view_of(model, [vector])
    with pytest.raises(knowledge.DoesNotApply, match="penalties must depend"):
        attack("dense_inversion", view, knowledge.Knowledge(model))
    found = attack("dlg", view, knowledge.Knowledge(model, labels=(2,)))
    assert leaks(found, tables.rows(1), (2,))[0].psnr > 60


class TestBatchStatistics:
    """In training mode."""

    @pytest.fixture
    def model(self):
        return tables.row_model("classes", (layers.BatchNormalization,))

    def test_each_client_has_its_own(self, model):
        examples, labels = tables.rows(5), (0, 1, 2, 1, 0)
        sent = [
            tables.gradient(model, examples[part], labels[part])
            for part in (slice(0, 2), slice(2, 5))
        ]
        aggregate = 0.4 * sent[0] + 0.6 * sent[1]
        view = victims.view_of(model, sent, None, aggregate, (2.0, 3.0))
        known = knowledge.Knowledge(model, 5, labels, client_sizes=(2, 3))
        target = target_lib.build_target(view, known, "aggregate", "mask_aware")
        compiled = victims.PROGRAMS.of(matching.build_matching, model)
        error = criterion.visible_error(
            compiled.model, view.weights, target, known, examples, np.array(labels)
        )
        assert error < 1e-10
        united = knowledge.Knowledge(model, 5, labels)
        with pytest.raises(knowledge.DoesNotApply, match="client_sizes"):
            target_lib.build_target(view, united, "aggregate", "mask_aware")
        together = catalog.build("quick_inversion", source="aggregate", effort=EFFORT)
        with pytest.raises(knowledge.DoesNotApply, match="one by one"):
            together(view, known, SEED)

    @pytest.mark.parametrize("name", ["dense_inversion", "completion"])
    def test_layers_show_nothing(self, model, name):
        sent = tables.gradient(model, tables.rows(2), (2, 0))
        view = victims.view_of(model, [sent])
        with pytest.raises(knowledge.DoesNotApply):
            attack(name, view, knowledge.Knowledge(model, 2))

    def test_frozen_ones_are_no_obstacle(self):
        middle = (layers.BatchNormalization,)
        model = tables.row_model("classes", middle, training=False)
        assert not coupling.mixes_examples(model)
        view = victims.view_of(model, [tables.gradient(model, tables.rows(1), (2,))])
        found = attack("dense_inversion", view, knowledge.Knowledge(model))
        assert leaks(found, tables.rows(1), (2,))[0].psnr > 60


def dropout():
    return layers.Dropout(0.4)


class TestDraws:
    """Random numbers at the client."""

    @pytest.fixture
    def model(self):
        return tables.row_model("classes", (dropout, layers.BatchNormalization))

    @pytest.mark.parametrize("name", catalog.ATTACKS)
    def test_have_to_be_declared(self, model, name):
        view = victims.view_of(model, [np.zeros(model.spec.size, np.float32)])
        with pytest.raises(knowledge.DoesNotApply):
            attack(name, view, knowledge.Knowledge(model, 2, labels=(0, 1)))
        reason = catalog.why_not(
            catalog.ATTACKS["dlg"], knowledge.Knowledge(model, 2, labels=(0, 1))
        )
        assert "`knowledge.without_draws` must be declared" in reason

    def test_a_builder_by_itself_refuses_too(self, model):
        view = victims.view_of(model, [np.zeros(model.spec.size, np.float32)])
        known = knowledge.Knowledge(model, without_draws=True)
        with pytest.raises(knowledge.DoesNotApply, match="must not draw"):
            target_lib.build_target(view, known, 0, "naive")

    def test_without_them_a_model_is_the_same_otherwise(self, model):
        silent = draws.without(model)
        assert model.task.is_random and not silent.task.is_random
        assert draws.without(silent) is silent
        assert silent.spec == model.spec and silent.value_range == model.value_range
        plain = tables.row_model("classes", (layers.BatchNormalization,))
        examples = tables.rows(3)
        ours, theirs = (
            tables.gradient(one, examples, (0, 1, 2)) for one in (silent, plain)
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-6)

    def test_the_first_layer_shows_a_row_all_the_same(self):
        model = tables.row_model("values", (dropout,))
        labels = tables.LABELS["values"][:1]
        vector = tables.gradient(model, tables.rows(1), labels)
        view = victims.view_of(model, [vector])
        known = knowledge.Knowledge(model, labels=labels, without_draws=True)
        found = attack("dense_inversion", view, known)
        assert leaks(found, tables.rows(1), labels)[0].psnr > 60

    def test_what_cannot_be_silenced_is_refused(self):
        class Jitter(layers.Layer):
            def __init__(self, **options):
                super().__init__(**options)
                self.generator = keras.random.SeedGenerator(1)

            def call(self, inputs, training=False):
                if not training:
                    return inputs
                return inputs + keras.random.normal(
                    tf.shape(inputs), seed=self.generator
                )

        with pytest.raises(knowledge.DoesNotApply, match="some layer still draws"):
            draws.without(tables.row_model("classes", (Jitter,)))


class TestHeads:
    """Which layer gives the scores of a softmax."""

    @staticmethod
    def model_of(*after, width=3, loss=None):
        inputs = keras.Input((6,))
        hidden = layers.Dense(width, name="last")(inputs)
        for layer in after:
            hidden = layer(hidden)
        model = keras.Model(inputs, hidden)
        return functional.from_task(task_lib.from_keras(model, loss))

    @pytest.mark.parametrize(
        ("after", "head"),
        [
            ((), True),
            ((layers.Softmax(),), True),
            ((layers.Activation("softmax"),), True),
            ((layers.Activation("tanh"),), False),
            ((layers.Rescaling(2.0),), False),
            ((layers.LayerNormalization(),), False),
        ],
    )
    def test_only_its_own(self, after, head):
        model = self.model_of(*after)
        (layer,) = dense_layers.dense_layers(model)
        assert layer.head == head
        zeros = np.zeros(model.spec.size, np.float32)
        view = victims.view_of(model, [zeros])
        target = target_lib.build_target(
            view, knowledge.Knowledge(model), 0, "mask_aware"
        )
        assert (candidates.readable_layout(target, model) == model.spec) == head

    def test_a_layer_that_is_called_twice_is_not_read(self):
        shared = layers.Dense(6, activation="tanh")
        inputs = keras.Input((6,))
        outputs = layers.Dense(3, name="head")(shared(shared(inputs)))
        model = functional.from_keras(keras.Model(inputs, outputs))
        assert [one.name for one in dense_layers.dense_layers(model)] == ["head"]

    def test_only_a_softmax_has_rows_that_sum_to_zero(self):
        model = tables.row_model("values")
        vector = tables.gradient(model, tables.rows(2), tables.LABELS["values"])
        mask = np.zeros(model.spec.size, bool)
        mask[-12::2] = True
        view = victims.view_of(model, [vector], mask)
        known = knowledge.Knowledge(model, 2, tables.LABELS["values"])
        found = attack("dlg", view, known)
        assert all(
            one.psnr > 60
            for one in leaks(found, tables.rows(2), tables.LABELS["values"])
        )
