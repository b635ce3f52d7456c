"""Every metric, policy and agreement, by the names that flags give them."""

import csv
import functools
import io

import numpy as np
import pytest
import tensorflow as tf

from experiments.modalities.pictures import loading
from experiments.outputs import results
from experiments.outputs.records import RoundRecord
from experiments.study import masking, protocols
from experiments.study.flag_table import SettingsError
from experiments.suites import positions, token_positions
from federated.round import local_work
from selenc_tf import catalog
from selenc_tf.masks import agreement, policy
from selenc_tf.models import mlp
from tests.experiments import made_up
from tests.experiments.command import execute, parse

RATIO = 0.1

SLOW = pytest.mark.slow
# Seconds if every step of their loops runs by itself.
LOOPS = ("leverage", "input_sensitivity")


@pytest.fixture(scope="module")
def model():
    """A dense network of 95 parameters; the units of its hidden layer are two heads."""
    return mlp.mlp((3, 3, 1), 3, 0, hidden=(6, 2))


def masks_of(*flags):
    return masking.of_run(parse(*flags))


def lone_mask(masks, metric, model):
    source = masking.lone_mask(masks, metric, RATIO)
    spec = model.spec
    if not isinstance(source, agreement.OwnMask):
        return source.mask(spec, source.init(spec))[0].numpy()
    generator = np.random.default_rng(0)
    batch = local_work.Batch(
        tf.constant(generator.uniform(size=[2, *model.input_shape]), tf.float32),
        tf.constant([0, 2]),
    )
    own = local_work.gradient(model, model.initial_weights, batch)
    context = local_work.score_context(
        model, model.initial_weights, batch, own, source.seed
    )
    own_mask = functools.partial(agreement.own_mask, source, spec, context)
    if metric in LOOPS:
        own_mask = tf.function(own_mask, autograph=False)
    return own_mask().numpy()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), "Masks: policy top_fraction."),
        (
            ("--mask_policy=layer_list", "--mask_layers=conv0,head"),
            "Masks: policy layer_list (conv0, head).",
        ),
        (
            ("--mask_policy=rows", "--always_hide=head,biases", "--mask_history=first"),
            "Masks: policy rows; always hidden: head, biases; the first round's mask is "
            "kept.",
        ),
        (
            ("--mask_history=ema",),
            "Masks: policy top_fraction; scores averaged over rounds, decay 0.9.",
        ),
    ],
)
def test_what_people_read_of_the_masks(flags, expected):
    assert masking.describe(parse(*flags).masks) == expected


@pytest.mark.parametrize(
    "metric",
    [
        n if n in ("magnitude", "random", "maskcrypt") else pytest.param(n, marks=SLOW)
        for n in catalog.METRICS
    ],
)
def test_every_metric_makes_a_mask(model, metric):
    mask = lone_mask(masks_of(f"--significance={metric}"), metric, model)
    assert np.count_nonzero(mask) == policy.hidden_count(RATIO, model.spec.size)


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("top_fraction", "layer_list", "heads")
        else pytest.param(name, marks=SLOW)
        for name in catalog.POLICIES
    ],
)
@pytest.mark.parametrize(
    "history",
    [
        pytest.param("none", marks=pytest.mark.long),
        "ema",
        pytest.param("first", marks=SLOW),
    ],
)
def test_every_policy_makes_a_mask(model, name, history):
    masks = masks_of(
        f"--mask_policy={name}",
        f"--mask_history={history}",
        "--mask_layers=kernel",
        "--head_size=3",
        "--always_hide=head,biases",
        f"--encryption_ratios={RATIO}",
    )
    masking.check_fits(masks, model.spec, "mlp")
    mask = lone_mask(masks, "magnitude", model)
    expected = masking.policy_of(masks, RATIO).num_hidden(model.spec)
    assert np.count_nonzero(mask) == expected
    # The head's bias comes last; it is hidden whatever the scores say.
    assert mask[-3:].all()


@pytest.mark.parametrize(
    ("metric", "wanted", "taken"),
    [
        ("random", "auto", "public_seed"),
        ("first_layers", "auto", "public_seed"),
        ("weight_magnitude", "auto", "public_weights"),
        ("magnitude", "auto", "previous_aggregate"),
        ("product", "auto", "score_sum"),
        ("label_sensitivity", "auto", "score_sum"),
        ("magnitude", "union", "union"),
        ("random", "score_sum", "score_sum"),
    ],
)
def test_who_agrees_how(metric, wanted, taken):
    assert protocols.taken(wanted, metric) == taken


@pytest.mark.parametrize(
    "flags",
    [
        ["--mask_policy=layer_list", "--mask_layers=attention"],
        ["--always_hide=embeddings"],
    ],
)
def test_what_the_model_does_not_have(model, flags):
    with pytest.raises(SettingsError, match="does not fit"):
        masking.check_fits(masks_of(*flags), model.spec, "mlp")


def test_a_public_agreement_by_weights(model):
    agreed = masking.public_agreement(masks_of(), "weight_magnitude", RATIO, model)
    mask, _ = agreed.mask(model.spec, agreed.init(model.spec))
    weights = np.concatenate([np.ravel(tensor) for tensor in model.initial_weights])
    smallest_hidden = np.abs(weights)[mask.numpy()].min()
    assert smallest_hidden >= np.abs(weights)[~mask.numpy()].max()
    assert agreed.name == "public_weights"


@pytest.mark.slow
@pytest.mark.parametrize(
    "protocol",
    [
        "score_sum",
        pytest.param("interleaved_lists", marks=pytest.mark.long),
        pytest.param("union", marks=pytest.mark.long),
    ],
)
def test_a_training_after_a_round_of_agreement(tmp_path, protocol, monkeypatch):
    pictures, model = made_up.pictures((3, 3, 1), 60), mlp.mlp((3, 3, 1), 3, 0, (6,))
    monkeypatch.setattr(loading.data_catalog, "load", lambda *_: pictures)
    monkeypatch.setattr(loading.catalog, "model", lambda *_: model)
    status, errors = execute(
        tmp_path,
        "--significance=magnitude",
        "--encryption_ratios=0.1",
        f"--mask_agreement={protocol}",
        "--num_images=0",
        "--aggregate_clients=0",
    )
    assert status == 0, errors
    plain, encrypted = [
        record
        for record in results.load(tmp_path / "tiny")
        if isinstance(record, RoundRecord)
    ]
    assert "agreement_seconds" not in plain.details
    assert encrypted.cell.agreement == protocol
    assert encrypted.details["agreement_seconds"] > 0
    m = policy.hidden_count(0.1, encrypted.parameters)
    if protocol == "union":
        assert m < encrypted.hidden <= 2 * m
    else:
        assert encrypted.hidden == m
    # All scores of both clients cross encrypted; masks are n / 8 bytes each.
    least = {
        "score_sum": 6 * encrypted.parameters,
        "interleaved_lists": 4 * m,
        "union": 0,
    }
    assert encrypted.details["agreement_up_bytes"] >= 2 * least[protocol]
    # The overhead of the summary counts it.
    with (tmp_path / "tiny" / "summary.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["agreement"] == protocol]
    counted = float(rows[0]["round_bytes_median"])
    own = encrypted.client_to_server_bytes + encrypted.server_to_client_bytes
    extra = (
        encrypted.details["agreement_up_bytes"]
        + encrypted.details["agreement_down_bytes"]
    )
    assert counted == own + extra


@pytest.mark.slow
def test_positions_name_the_label():
    settings = parse(
        "--dataset=mnist-5k",
        "--significance=magnitude,random",
        "--num_images=3",
        "--encryption_ratios=0.1",
    )
    stream = io.StringIO()
    rows = {row.metric: row for row in positions.run(settings, stream)}
    assert rows["magnitude"].named == 3
    assert rows["random"].silent == 0
    assert "label named" in stream.getvalue()


def test_positions_name_the_tokens():
    rows = {
        (row.metric, row.embeddings_hidden): row
        for row in token_positions.measure(3, (0.0, 0.01), seed=0)
    }
    magnitude = rows["magnitude", False]
    assert magnitude.precision == 1 and magnitude.recall > 0.5
    # With the whole embedding hidden every token is named, which says nothing.
    hidden = rows["magnitude", True]
    assert hidden.recall == 1 and hidden.precision < 0.02
    assert rows["random", False].precision < 0.1
