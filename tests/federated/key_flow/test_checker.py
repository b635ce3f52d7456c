"""The analysis of key flow: our processes leak nothing, and leaking ones are caught."""

import collections
import functools
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import aggregators, key_flow, tff_models
from federated.key_flow import graph_taint
from federated.key_flow.labels import SHOWN, Label
from selenc_tf.lattice import key_store, scales
from tests.federated.rounds import BOUND, CIPHER, CODEC, HISTORY, OWN, SEED

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
ROW = tff.TensorType(np.int64, [1, CIPHER.num_slots])
BLOCKS = tff.TensorType(np.str_, [None])

NO_LABEL = frozenset()
SUM = frozenset({Label.SUM})


# A file is looked into outside of graphs only; inside of them the answer is known.
find = functools.cache(key_store.find)


@pytest.fixture(scope="module")
def path(keys):
    return find(keys.path).path


def any_length(tensor):
    """The tensor without its static shape."""
    shape = [None] * tensor.shape.rank
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=shape)


def encryption(path, source=SEED, cipher=CIPHER):
    keys = find(path)
    return aggregators.SelectiveEncryption(
        source, CODEC, scales.public_bound(BOUND), cipher, keys
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


@pytest.mark.parametrize(
    "name",
    [
        name if name == "weighted" else pytest.param(name, marks=pytest.mark.slow)
        for name in PROCESSES
    ],
)
def test_our_processes_leak_nothing(name, process_named, path):
    expected = PROCESSES[name]
    computation = process_named(name)
    for known_path in (path, None):
        report = key_flow.check(computation, known_path)
        assert [(c.intrinsic, c.type) for c in report.to_server] == expected
        assert {source.placement for source in report.sources} == {"clients"}
        readers = {source.site.op for source in report.sources}
        assert readers == {"TFRecordDataset"}

    fields = [(c.type, field) for c in report.to_server for field in c.fields]
    by_label = collections.defaultdict(list)
    for _, field in fields:
        for label in field.labels:
            by_label[label].append(field.name)
    assert by_label[Label.CIPHERTEXT] == ["ciphertext"]
    revealing = OPENED in expected
    assert by_label[Label.DECRYPTED] == (["codes"] if revealing else [])
    assert not by_label[Label.KEY] and not by_label[Label.OPENED_OWN]

    secret = key_store.read(find(path), CIPHER).numpy()
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
        ("checksum", "int64", NO_LABEL),
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


# --- Processes that leak -----------------------------------------------------------


def send(value):
    """Sends a clients' value to a server that ignores it."""
    member = value.type_signature.member
    return tff.federated_aggregate(
        value,
        tf_comp(lambda: 0)(),
        tf_comp(lambda total, _: total + 1, np.int32, member),
        tf_comp(lambda one, two: one + two, np.int32, np.int32),
        tf_comp(lambda total: total + 0, np.int32),
    )


def reader(path):
    return tf_comp(lambda: key_store.read(find(path), CIPHER))


def key_at_clients(path):
    return tff.federated_eval(reader(path), tff.CLIENTS)


def key_through(body):
    """A process whose clients send what `body` makes of the key."""

    def build(path):
        made = tf_comp(body, np.str_)
        return fed_comp(lambda: send(tff.federated_map(made, key_at_clients(path))))

    return build


def octets(key):
    return tf.cast(tf.io.decode_raw(key, tf.uint8), tf.int32)


def row_of(key):
    """A block of plaintext made of the key."""
    slots = CIPHER.num_slots
    return tf.reshape(tf.cast(octets(key)[:slots], tf.int64), [1, slots])


def sends_the_key(path):
    return fed_comp(lambda: send(key_at_clients(path)))


def in_an_unused_field(path):
    @fed_comp(tff.FederatedType(np.float32, tff.CLIENTS))
    def process(x):
        pair = collections.OrderedDict(plain=x, note=key_at_clients(path))
        return send(tff.federated_zip(pair))

    return process


def appended_to_plain(path):
    vector = tff.TensorType(np.float32, [4])
    append = tf_comp(
        lambda x, key: tf.concat([x, tf.cast(octets(key), tf.float32)], 0),
        vector,
        np.str_,
    )

    @fed_comp(tff.FederatedType(vector, tff.CLIENTS))
    def process(x):
        return send(tff.federated_map(append, (x, key_at_clients(path))))

    return process


def opens_its_own_ciphertext(path):
    encrypt = tf_comp(CIPHER.encrypt, np.str_, ROW)
    opened = tf_comp(CIPHER.decrypt, np.str_, BLOCKS)

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        key = key_at_clients(path)
        ciphertext = tff.federated_map(encrypt, (key, x))
        return send(tff.federated_map(opened, (key, ciphertext)))

    return process


def while_loop(key):
    bits = octets(key)
    return tf.while_loop(
        lambda i, total: i < 8,
        lambda i, total: (i + 1, total * 2 + tf.bitwise.bitwise_and(bits[i], 1)),
        (0, 0),
    )[1]


def number_of_steps(key):
    # No bit of the key is in a loop variable: only how often the loop runs tells.
    limit = octets(key)[40]
    return tf.while_loop(lambda i: i < limit, lambda i: [i + 1], [0])


def branch(key):
    return tf.cond(octets(key)[40] > 100, lambda: 1, lambda: 0)


def switch_case(key):
    return tf.switch_case(octets(key)[40] % 3, [lambda: 5, lambda: 7, lambda: 9])


def python_function(key):
    return tf.ensure_shape(
        tf.py_function(lambda k: len(k.numpy()), [key], tf.int32), []
    )


def graph_function(key):
    @tf.function(autograph=False)
    def inner(k):
        return tf.strings.length(k), tf.constant(3)

    return inner(key)[0]


def variable(key):
    kept = tf.Variable(0, trainable=False)
    with tf.control_dependencies([kept.assign(octets(key)[40])]):
        return kept.read_value()


def data_set(key):
    numbers = tf.data.Dataset.range(4).map(lambda i: octets(key)[40])
    return numbers.reduce(0, lambda one, two: one + two)


def table(key):
    lookup = tf.lookup.experimental.DenseHashTable(
        tf.int32, tf.int32, default_value=-1, empty_key=-2, deleted_key=-3
    )
    with tf.control_dependencies([lookup.insert([1], octets(key)[40:41])]):
        return lookup.lookup(tf.constant([1]))


def switch_and_merge(key):
    # Control flow of TensorFlow 1: the branches hold constants.
    predicate = octets(key)[40] > 100
    off, on = tf.raw_ops.Switch(data=predicate, pred=predicate)
    with tf.control_dependencies([off]):
        zero = tf.constant(0)
    with tf.control_dependencies([on]):
        one = tf.constant(1)
    return tf.raw_ops.Merge(inputs=[zero, one])[0]


def as_select_keys(path):
    rows = tff.FederatedType(tff.TensorType(np.float32, [256]), tff.SERVER)
    pick = tf_comp(lambda table, row: table[row], rows.member, np.int32)
    to_keys = tf_comp(lambda key: tf.reshape(octets(key)[40], [1]), np.str_)

    @fed_comp(rows)
    def process(table):
        keys = tff.federated_map(to_keys, key_at_clients(path))
        size = tff.federated_value(256, tff.SERVER)
        return tff.federated_select(keys, size, table, pick)

    return process


def in_a_plain_sum(path):
    first = tf_comp(lambda key: octets(key)[40], np.str_)
    return fed_comp(
        lambda: tff.federated_sum(tff.federated_map(first, key_at_clients(path)))
    )


def in_a_secure_sum(path):
    first = tf_comp(lambda key: octets(key)[40], np.str_)
    return fed_comp(
        lambda: tff.federated_secure_sum_bitwidth(
            tff.federated_map(first, key_at_clients(path)), 8
        )
    )


def as_a_result(path):
    return fed_comp(lambda: key_at_clients(path))


def read_at_the_server(path):
    return fed_comp(lambda: tff.federated_eval(reader(path), tff.SERVER))


def read_without_a_placement(path):
    return fed_comp(lambda: tff.federated_value(reader(path)(), tff.CLIENTS))


def server_encrypts_for_itself(path):
    def encrypt_ones():
        key = key_store.read(find(path), CIPHER)
        return CIPHER.encrypt(key, tf.ones([1, CIPHER.num_slots], tf.int64))

    encrypt = tf_comp(encrypt_ones)
    return fed_comp(lambda: tff.federated_eval(encrypt, tff.SERVER))


def in_the_accumulator(path):
    @tf_comp(np.str_, np.int32)
    def accumulate(total, _):
        return total + key_store.read(find(path), CIPHER)

    @fed_comp(tff.FederatedType(np.int32, tff.CLIENTS))
    def process(x):
        return tff.federated_aggregate(
            x,
            tf_comp(lambda: tf.constant(""))(),
            accumulate,
            tf_comp(lambda one, two: one + two, np.str_, np.str_),
            tf_comp(lambda total: tf.strings.length(total), np.str_),
        )

    return process


def read_by_another_operation(path):
    read = tf_comp(lambda: tf.io.read_file(path))
    return fed_comp(lambda: send(tff.federated_eval(read, tff.CLIENTS)))


def a_fresh_key(path):
    del path
    return fed_comp(
        lambda: send(tff.federated_eval(tf_comp(CIPHER.keygen), tff.CLIENTS))
    )


def encrypted_under_itself(path):
    @tf_comp(np.str_)
    def encrypt(key):
        return CIPHER.encrypt(key, row_of(key))

    return fed_comp(lambda: send(tff.federated_map(encrypt, key_at_clients(path))))


def encrypted_under_a_constant(path):
    @tf_comp(np.str_)
    def encrypt(key):
        return CIPHER.encrypt(tf.constant("?"), row_of(key))

    return fed_comp(lambda: send(tff.federated_map(encrypt, key_at_clients(path))))


def server_opens_one_upload(path):
    # The "sum" that is cut into shares is the first client's ciphertext.
    first = CIPHER._replace(add=lambda ciphertexts: ciphertexts[0])
    factory = aggregators.selective_encryption_sum(encryption(path, cipher=first))
    return factory.create(tff.TensorType(np.float32, [30])).next


def client_adds_to_itself(path):
    # A sum, but of one client's ciphertexts.
    @tf_comp(np.str_, ROW)
    def twice(key, x):
        ciphertext = CIPHER.encrypt(key, x)
        total = CIPHER.add(tf.stack([ciphertext, ciphertext]))
        return CIPHER.decrypt(key, total)

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        return send(tff.federated_map(twice, (key_at_clients(path), x)))

    return process


def server_picks_a_client_sum(path):
    # The clients add, the server only picks: still one client's vector.
    @tf_comp(np.str_, ROW)
    def twice(key, x):
        ciphertext = CIPHER.encrypt(key, x)
        return CIPHER.add(tf.stack([ciphertext, ciphertext]))

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        key = key_at_clients(path)
        last = tff.federated_aggregate(
            tff.federated_map(twice, (key, x)),
            tf_comp(lambda: any_length(tf.zeros([0], tf.string)))(),
            tf_comp(lambda _, new: tf.identity(new), BLOCKS, BLOCKS),
            tf_comp(lambda _, new: tf.identity(new), BLOCKS, BLOCKS),
            tf_comp(lambda total: tf.identity(total), BLOCKS),
        )
        opened = tf_comp(CIPHER.decrypt, np.str_, BLOCKS)
        return send(tff.federated_map(opened, (key, tff.federated_broadcast(last))))

    return process


AGGREGATED = "sent clients to server by `federated_aggregate`"
READ = ("read by TFRecordDataset", "federated_eval_at_clients at clients")
LEAKS = {
    "the key itself": (sends_the_key, Label.KEY, AGGREGATED),
    "xor a constant": (
        key_through(lambda key: tf.bitwise.bitwise_xor(octets(key), 90)),
        Label.KEY,
        AGGREGATED,
    ),
    "its length": (
        key_through(lambda key: tf.strings.length(key)),
        Label.KEY,
        AGGREGATED,
    ),
    "an unused field": (in_an_unused_field, Label.KEY, AGGREGATED),
    "appended to the visible part": (appended_to_plain, Label.KEY, AGGREGATED),
    "while": (key_through(while_loop), Label.KEY, AGGREGATED),
    "number of steps": (key_through(number_of_steps), Label.KEY, AGGREGATED),
    "cond": (key_through(branch), Label.KEY, AGGREGATED),
    "case": (key_through(switch_case), Label.KEY, AGGREGATED),
    "py_function": (key_through(python_function), Label.KEY, AGGREGATED),
    "tf.function": (key_through(graph_function), Label.KEY, AGGREGATED),
    "variable": (key_through(variable), Label.KEY, AGGREGATED),
    "data set": (key_through(data_set), Label.KEY, AGGREGATED),
    "table": (key_through(table), Label.KEY, AGGREGATED),
    "switch and merge": (key_through(switch_and_merge), Label.KEY, AGGREGATED),
    "select keys": (as_select_keys, Label.KEY, "`federated_select`"),
    "sum": (in_a_plain_sum, Label.KEY, AGGREGATED),
    "secure sum": (in_a_secure_sum, Label.KEY, "`federated_secure_sum_bitwidth`"),
    "result": (as_a_result, Label.KEY, "among the computation's results"),
    "read at the server": (read_at_the_server, Label.KEY, "computed server"),
    "read unplaced": (read_without_a_placement, Label.KEY, "computed unplaced"),
    "server encrypts": (server_encrypts_for_itself, Label.KEY, "made or read server"),
    "accumulator": (in_the_accumulator, Label.KEY, "computed server"),
    "read_file": (read_by_another_operation, Label.KEY, AGGREGATED),
    "fresh key": (a_fresh_key, Label.KEY, AGGREGATED),
    "encrypted under itself": (encrypted_under_itself, Label.KEY, AGGREGATED),
    "encrypted by a constant": (encrypted_under_a_constant, Label.KEY, AGGREGATED),
    "own ciphertext": (opens_its_own_ciphertext, Label.OPENED_OWN, AGGREGATED),
    "own sum": (client_adds_to_itself, Label.OPENED_OWN, AGGREGATED),
    "one upload": (server_opens_one_upload, Label.OPENED_OWN, AGGREGATED),
    "picked sum": (server_picks_a_client_sum, Label.OPENED_OWN, AGGREGATED),
}


@pytest.mark.parametrize(
    "name",
    [
        # A whole round; "picked sum" is the same leak in few operations.
        pytest.param(name, marks=pytest.mark.slow) if name == "one upload" else name
        for name in LEAKS
    ],
)
def test_leak_is_caught(name, path):
    build, label, place = LEAKS[name]
    computation = build(path)
    # With and without knowing which file is the key.
    for known_path in (path, None):
        report = key_flow.analyse(computation, known_path)
        found = [v for v in report.violations if v.label is label]
        assert any(place in violation.place for violation in found)
        with pytest.raises(key_flow.KeyLeakError) as error:
            report.raise_if_leaking()
        assert label.value in str(error.value) and place in str(error.value)


def test_check_raises_what_the_report_says(path):
    computation = sends_the_key(path)
    with pytest.raises(key_flow.KeyLeakError) as expected:
        key_flow.analyse(computation, path).raise_if_leaking()
    with pytest.raises(key_flow.KeyLeakError) as error:
        key_flow.check(computation, path)
    assert str(error.value) == str(expected.value)


def test_violation_names_field_type_and_path(path):
    (violation,) = key_flow.analyse(in_an_unused_field(path), path).violations
    assert (violation.field, violation.type) == ("note", "str")
    assert violation.path == READ
    assert str(violation) == (
        "raw key material in field `note` (str) sent clients to server by "
        "`federated_aggregate`: read by TFRecordDataset -> "
        "federated_eval_at_clients at clients"
    )


def test_path_has_every_step(path):
    (violation,) = key_flow.analyse(
        key_through(lambda key: tf.reshape(octets(key)[40], [1]))(path), path
    ).violations
    assert violation.path == (*READ, "federated_map at clients")
    assert violation.type == "int32[1]"


@pytest.mark.parametrize(
    "spill",
    [
        lambda key: tf.print(key),
        lambda key: tf.io.write_file("/nowhere/key", key),
        lambda key: tf.py_function(lambda k: None, [key], []),
    ],
    ids=["print", "write_file", "py_function"],
)
def test_key_that_leaves_its_graph_sideways(path, spill):
    @tf_comp(np.str_)
    def careless(key):
        with tf.control_dependencies([spill(key)]):
            return tf.constant(1)

    computation = fed_comp(
        lambda: send(tff.federated_map(careless, key_at_clients(path)))
    )
    places = [v.place for v in key_flow.analyse(computation, path).violations]
    assert any("leaving its graph through the node" in place for place in places)


def test_what_is_no_leak(path):
    """Encrypting, opening a sum, and keeping what was opened."""
    encrypt = tf_comp(CIPHER.encrypt, np.str_, ROW)
    opened = tf_comp(CIPHER.decrypt, np.str_, BLOCKS)

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        key = key_at_clients(path)
        ciphertext = tff.federated_map(encrypt, (key, x))
        total = tff.federated_aggregate(
            ciphertext,
            tf_comp(lambda: any_length(tf.zeros([0, 1], tf.string)))(),
            tf_comp(
                lambda so_far, new: tf.concat([so_far, [new]], 0),
                tff.TensorType(np.str_, [None, None]),
                BLOCKS,
            ),
            tf_comp(
                lambda one, two: tf.concat([one, two], 0),
                tff.TensorType(np.str_, [None, None]),
                tff.TensorType(np.str_, [None, None]),
            ),
            tf_comp(CIPHER.add, tff.TensorType(np.str_, [None, None])),
        )
        own = tff.federated_map(opened, (key, ciphertext))
        shared = tff.federated_map(opened, (key, tff.federated_broadcast(total)))
        return send(shared), own, total

    report = key_flow.check(process, path)
    labels = [field.labels for c in report.to_server for field in c.fields]
    assert labels == [frozenset({Label.CIPHERTEXT}), frozenset({Label.DECRYPTED})]


def test_nothing_read_is_nothing_proven():
    with pytest.raises(ValueError, match="nothing to prove"):
        key_flow.check(fed_comp(lambda x: x, tff.FederatedType(np.int32, tff.SERVER)))


def test_unknown_intrinsic_is_no_proof():
    result = tff.FederatedType(np.int32, tff.SERVER)
    argument = tff.FederatedType(np.int32, tff.CLIENTS)
    block = tff.framework.Lambda(
        "x",
        argument,
        tff.framework.Call(
            tff.framework.Intrinsic(
                "federated_wish", tff.FunctionType(argument, result)
            ),
            tff.framework.Reference("x", argument),
        ),
    )
    computation = tff.framework.ConcreteComputation.from_building_block(block)
    with pytest.raises(NotImplementedError, match="federated_wish"):
        key_flow.analyse(computation)


def test_bytes_in_the_computation_are_found(path):
    secret = key_store.read(find(path), CIPHER).numpy()

    def holding(part):
        return fed_comp(
            lambda: tff.federated_eval(tf_comp(lambda: tf.constant(part)), tff.SERVER)
        )

    assert key_flow.contains_bytes(holding(secret), secret)
    assert key_flow.contains_bytes(holding(b"zz" + secret[1003:1040]), secret)
    assert not key_flow.contains_bytes(holding(bytes(100)), secret + bytes(100))
    assert not key_flow.contains_bytes(sends_the_key(path), secret)


def test_no_optimiser_puts_the_key_into_a_graph(blind, path):
    """TFF's compiler evaluates what it can ahead of time, in aggressive mode."""
    secret = key_store.read(find(path), CIPHER).numpy()
    compile_aggressively = tff.backends.native.desugar_and_transform_to_native
    for computation in (blind(SEED).next, sends_the_key(path)):
        compiled = compile_aggressively(computation)
        text = tff.framework.serialize_computation(compiled).SerializeToString()
        assert path.encode() in text
        assert not any(
            secret[at : at + 16] in text for at in range(0, len(secret) - 16, 16)
        )


# --- One graph ---------------------------------------------------------------------


def labels_of(body, **inputs):
    """The labels of a graph's outputs, given those of its (int32) inputs."""
    with tf.Graph().as_default() as graph:
        tensors = {
            name: tf.compat.v1.placeholder(tf.int32, [], name) for name in inputs
        }
        outputs = tf.nest.flatten(body(types.SimpleNamespace(**tensors)))
    taint = graph_taint.GraphTaint(graph.as_graph_def(), key_flow.CipherOps())
    found = taint.outputs(inputs, [output.name for output in outputs])
    return [labels & SHOWN for labels in found]


KEY = frozenset({Label.KEY})


class TestPrecision:
    """Labels stay apart where the graph keeps values apart."""

    def test_identity_n(self):
        found = labels_of(lambda i: tf.identity_n([i.key, i.x]), key=KEY, x=NO_LABEL)
        assert found == [KEY, NO_LABEL]

    def test_function(self):
        @tf.function(autograph=False)
        def swap(a, b):
            return b + 1, a + 1

        assert labels_of(lambda i: swap(i.key, i.x), key=KEY, x=SUM) == [SUM, KEY]

    def test_cond(self):
        found = labels_of(
            lambda i: tf.cond(i.x > 0, lambda: (i.key, i.x), lambda: (i.x, i.x)),
            key=KEY,
            x=SUM,
        )
        assert found == [KEY | SUM, SUM]

    def test_loop(self):
        # The key walks one place further in each turn and never reaches the last.
        found = labels_of(
            lambda i: tf.while_loop(
                lambda n, a, b, c: n < 3,
                lambda n, a, b, c: (n + 1, a, a, c),
                (0, i.key, i.x, i.x),
            ),
            key=KEY,
            x=NO_LABEL,
        )
        assert found == [NO_LABEL, KEY, KEY, NO_LABEL]

    def test_loop_needs_several_turns(self):
        found = labels_of(
            lambda i: tf.while_loop(
                lambda n, a, b, c: n < 3,
                lambda n, a, b, c: (n + 1, a, a, b),
                (0, i.key, i.x, i.x),
            ),
            key=KEY,
            x=NO_LABEL,
        )
        assert found == [NO_LABEL, KEY, KEY, KEY]

    def test_variables_of_other_data(self):
        def body(i):
            kept = tf.Variable(0, trainable=False)
            with tf.control_dependencies([kept.assign(i.x)]):
                return kept.read_value(), i.key

        assert labels_of(body, key=KEY, x=SUM) == [SUM, KEY]

    def test_variables_remember_without_any_edge(self):
        def body(i):
            kept = tf.Variable(0, trainable=False)
            kept.assign(i.key)
            return kept.read_value()

        assert labels_of(body, key=KEY) == [KEY]
