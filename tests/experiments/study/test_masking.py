"""Every metric, policy and agreement, by the names that flags give them."""

import csv
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from experiments.outputs import results
from experiments.outputs.records import RoundRecord
from experiments.study import masking
from experiments.study.settings import SettingsError
from experiments.suites import positions, token_positions
from federated.round import local_work
from selenc_tf import catalog
from selenc_tf.masks import agreement, policy
from tests.experiments.command import execute, parse

RATIO = 0.1


@pytest.fixture(scope="module")
def model():
    return catalog.model("lenet", (10, 10, 1), 3, 0)


def lone_mask(settings, metric, model):
    source = masking.lone_mask(settings, metric, RATIO)
    spec = model.spec
    if not isinstance(source, agreement.OwnMask):
        return source.mask(spec, source.init(spec))[0].numpy()
    generator = np.random.default_rng(0)
    batch = local_work.Batch(
        tf.constant(generator.uniform(size=[2, 10, 10, 1]), tf.float32),
        tf.constant([0, 2]),
    )
    own = local_work.gradient(model, model.initial_weights, batch)
    context = local_work.score_context(
        model, model.initial_weights, batch, own, source.seed
    )
    return agreement.own_mask(source, spec, context).numpy()


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
    assert masking.describe(parse(*flags)) == expected


@pytest.mark.parametrize("metric", catalog.METRICS)
def test_every_metric_makes_a_mask(model, metric):
    mask = lone_mask(parse(f"--significance={metric}"), metric, model)
    assert np.count_nonzero(mask) == policy.hidden_count(RATIO, model.spec.size)


@pytest.mark.parametrize("name", catalog.POLICIES)
@pytest.mark.parametrize("history", ["none", "ema", "first"])
def test_every_policy_makes_a_mask(model, name, history):
    settings = parse(
        f"--mask_policy={name}",
        f"--mask_history={history}",
        "--mask_layers=kernel",
        "--head_size=3",
        "--always_hide=head,biases",
        f"--encryption_ratios={RATIO}",
    )
    masking.check(settings)
    masking.check_model(settings, model)
    mask = lone_mask(settings, "magnitude", model)
    assert np.count_nonzero(mask) == masking.policy_of(settings, RATIO).num_hidden(
        model.spec
    )
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
    settings = parse(f"--mask_agreement={wanted}")
    assert masking.protocol_name(settings, metric) == taken


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--significance=magnitude", "--mask_agreement=public_seed"],
            "looks at gradi",
        ),
        (["--mask_policy=layer_list", "--encryption_ratios=0.1"], "--mask_layers"),
        (
            ["--mask_policy=layer_list", "--mask_layers=conv"],
            "must be a single number",
        ),
        (["--mask_policy=heads"], "--head_size"),
    ],
)
def test_what_does_not_go_together(flags, message):
    with pytest.raises(SettingsError, match=message):
        masking.check(parse(*flags))


@pytest.mark.parametrize(
    "flags",
    [
        ["--mask_policy=layer_list", "--mask_layers=attention"],
        ["--always_hide=embeddings"],
    ],
)
def test_what_the_model_does_not_have(model, flags):
    with pytest.raises(SettingsError, match="does not fit"):
        masking.check_model(parse(*flags), model)


def test_a_public_agreement_by_weights(model):
    settings = parse()
    agreed = masking.public_agreement(settings, "weight_magnitude", RATIO, model)
    mask, _ = agreed.mask(model.spec, agreed.init(model.spec))
    weights = np.concatenate([np.ravel(tensor) for tensor in model.initial_weights])
    smallest_hidden = np.abs(weights)[mask.numpy()].min()
    assert smallest_hidden >= np.abs(weights)[~mask.numpy()].max()
    assert agreed.name == "public_weights"


@pytest.mark.parametrize(
    "protocol",
    [
        "score_sum",
        pytest.param("interleaved_lists", marks=pytest.mark.slow),
        pytest.param("union", marks=pytest.mark.slow),
    ],
)
def test_a_training_after_a_round_of_agreement(tmp_path, protocol):
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


def test_positions_name_the_label(capsys):
    import sys

    settings = parse(
        "--dataset=mnist-5k", "--significance=magnitude,random", "--num_images=3"
    )
    settings = dataclasses.replace(
        settings, encryption=dataclasses.replace(settings.encryption, ratios=(0.1,))
    )
    rows = {row.metric: row for row in positions.run(settings, sys.stdout)}
    assert rows["magnitude"].named == 3
    assert rows["random"].silent == 0
    assert "label named" in capsys.readouterr().out


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
