"""Our own processes leak nothing."""

import collections

import pytest
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import aggregators, key_flow, tff_models
from federated.key_flow.labels import Label
from tests.federated.key_flow.parts import NO_LABEL, SUM, encryption, secret_of
from tests.federated.rounds import HISTORY, OWN, SEED

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation

# What a round of federated averaging sends to the server, in order: loss
# metrics, the upload, the rank, the opened share, the count of clipped values.
UPLOAD = (
    "federated_aggregate",
    "<plain=float32[?],ciphertext=str[?],weight=float32,nonce=int64,contributes=bool,"
    "checksum=int64>",
)
RANK = ("federated_select", "int32[1]")
OPENED = ("federated_aggregate", "<rank=int32,codes=str>")
METRICS = ("federated_aggregate", "<loss=<float32,float32>,accuracy=<float32,float32>>")
COUNT = ("federated_aggregate", "int32")
MASK = (
    "federated_aggregate",
    "<packed_mask=uint8[8]>",
)


def unweighted_fed_avg(model, path):
    return tff.learning.algorithms.build_unweighted_fed_avg(
        tff_models.tff_model(model.task),
        tff.learning.optimizers.build_sgdm(0.1),
        model_aggregator=aggregators.selective_encryption_unweighted(
            encryption(path, HISTORY)
        ),
    )


def clipped_fed_avg(model, path):
    return tff.learning.algorithms.build_weighted_fed_avg(
        tff_models.tff_model(model.task),
        tff.learning.optimizers.build_sgdm(0.1),
        model_aggregator=tff.aggregators.clipping_factory(
            1.0, aggregators.selective_encryption(encryption(path))
        ),
    )


@pytest.fixture(scope="module")
def process_named(model, path, averaging, reveal, blind):
    builders = {
        "weighted": lambda: averaging,
        "unweighted": lambda: unweighted_fed_avg(model, path),
        "clipped": lambda: clipped_fed_avg(model, path),
        "reveal": lambda: reveal(HISTORY),
        "blind, public seed": lambda: blind(SEED),
        "blind, history": lambda: blind(HISTORY),
        "blind, own mask": lambda: blind(OWN),
    }
    return lambda name: builders[name]().next


PROCESSES = {
    "weighted": [METRICS, UPLOAD, RANK, OPENED],
    "unweighted": [METRICS, UPLOAD, RANK, OPENED],
    "clipped": [METRICS, UPLOAD, RANK, OPENED, COUNT],
    "reveal": [UPLOAD, RANK, OPENED],
    "blind, public seed": [UPLOAD],
    "blind, history": [UPLOAD],
    "blind, own mask": [MASK, UPLOAD],
}


# Of the same parts as another one of the table.
TWINS = ("unweighted", "blind, history")


def _tier(name, told):
    if name == "reveal" and told:
        # Its trace is that of `test_processes.py`, and a round's every part is in it.
        return []
    second = name in TWINS or (not told and name not in ("reveal", "weighted"))
    return [pytest.mark.long if second else pytest.mark.slow]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param(name, told, marks=_tier(name, told))
        for name in PROCESSES
        for told in (True, False)
    ],
)
def test_our_processes_leak_nothing(name, told, process_named, path):
    """Told which file is the key, and not."""
    expected = PROCESSES[name]
    computation = process_named(name)
    report = key_flow.check(computation, path if told else None)
    assert [(c.intrinsic, c.type) for c in report.to_server] == expected
    assert {source.placement for source in report.sources} == {"clients"}
    readers = {source.site.op for source in report.sources}
    assert readers == {"TFRecordDataset"}

    fields = [(c.type, field) for c in report.to_server for field in c.fields]
    by_label = collections.defaultdict(list)
    for _, field in fields:
        for label in field.labels:
            by_label[label].append(field.name)
    # The checksum is of the message too.
    assert by_label[Label.CIPHERTEXT] == ["ciphertext", "checksum"]
    revealing = OPENED in expected
    assert by_label[Label.DECRYPTED] == (["codes"] if revealing else [])
    assert not by_label[Label.KEY] and not by_label[Label.OPENED_OWN]

    secret = secret_of(path)
    assert not key_flow.contains_bytes(computation, secret)


@pytest.mark.slow
def test_shapes_and_labels_of_a_reveal_round(process_named):
    report = key_flow.analyse(process_named("reveal"))
    found = [
        (field.name, field.type, field.labels)
        for crossing in report.to_server
        for field in crossing.fields
    ]
    assert found == [
        ("plain", "float32[?]", NO_LABEL),
        ("ciphertext", "str[?]", frozenset({Label.CIPHERTEXT})),
        ("weight", "float32", NO_LABEL),
        ("nonce", "int64", NO_LABEL),
        ("contributes", "bool", NO_LABEL),
        ("checksum", "int64", frozenset({Label.CIPHERTEXT})),
        ("", "int32[1]", SUM),
        ("rank", "int32", SUM),
        ("codes", "str", SUM | {Label.DECRYPTED}),
    ]
    received = [
        (crossing.intrinsic, field.name, field.labels)
        for crossing in report.to_clients
        for field in crossing.fields
        if not field.name.startswith("weights.")
    ]
    assert received == [
        ("federated_broadcast", "packed_mask", NO_LABEL),
        ("federated_broadcast", "run", NO_LABEL),
        ("federated_broadcast", "round", NO_LABEL),
        ("federated_broadcast", "bounds", NO_LABEL),
        ("federated_broadcast", "cohort", SUM),
        ("federated_select", "", SUM),
    ]
    weights = report.to_clients[0]
    assert weights.intrinsic == "federated_broadcast"
    assert [field.type for field in weights.fields] == [
        "float32[5,6]",
        "float32[6]",
        "float32[6,3]",
        "float32[3]",
    ]
