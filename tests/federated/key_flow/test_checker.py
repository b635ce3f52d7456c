"""The analysis of key flow: our processes leak nothing, and leaking ones are caught."""

import collections
import dataclasses
import functools
import types

import numpy as np
import pytest
import sympy
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tf_shell.python import shell_ops

import federated  # noqa: F401
from federated import aggregators, key_flow, runtime, tff_models
from federated.key_flow import graph_taint, key_files
from federated.key_flow.labels import SHOWN, Label
from selenc_tf.lattice import (
    block_tails,
    key_store,
    parameters,
    scales,
    shell_cipher,
)
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
    # The checksum is of the message too.
    assert by_label[Label.CIPHERTEXT] == ["ciphertext", "checksum"]
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


def length_of_a_sequence(use):
    """How many elements a client's sequence has is all that tells."""

    def build(path):
        made = tf_comp(
            lambda key: tf.data.Dataset.range(tf.cast(octets(key)[40], tf.int64)),
            np.str_,
        )
        return fed_comp(
            lambda: send(
                tff.federated_map(use(made.type_signature.result), at_key(made, path))
            )
        )

    return build


def at_key(made, path):
    return tff.federated_map(made, key_at_clients(path))


def counted(sequence):
    more = tf_comp(lambda total, _: total + 1, np.int32, sequence.element)
    return fed_comp(
        lambda elements: tff.sequence_reduce(elements, tf_comp(lambda: 0)(), more),
        sequence,
    )


def mapped_and_counted(sequence):
    forget = tf_comp(lambda _: np.int32(1), sequence.element)
    return fed_comp(
        lambda elements: tff.sequence_sum(tff.sequence_map(forget, elements)), sequence
    )


def through_a_file(path):
    """Clients write what the server reads: each looks harmless to the other."""
    file = path + ".copy"

    def write(key):
        cached = tf.data.Dataset.from_tensors(key).cache(file)
        return cached.map(lambda _: 0).reduce(0, lambda total, _: total + 1)

    def read():
        empty = tf.data.Dataset.from_tensors("").take(0)
        return empty.cache(file).reduce("", lambda _, text: text)

    @fed_comp()
    def process():
        sent = send(tff.federated_map(tf_comp(write, np.str_), key_at_clients(path)))
        return sent, tff.federated_eval(tf_comp(read), tff.SERVER)

    return process


def opened_at_the_clients(path, make, open_=CIPHER.decrypt, encrypt_=CIPHER.encrypt):
    """Clients open what the server made of their ciphertexts, for the server."""
    encrypt = tf_comp(encrypt_, np.str_, ROW)
    opened = tf_comp(open_, np.str_, BLOCKS)
    stacked = tff.TensorType(np.str_, [None, None])

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        key = key_at_clients(path)
        total = tff.federated_aggregate(
            tff.federated_map(encrypt, (key, x)),
            tf_comp(lambda: any_length(tf.zeros([0, 1], tf.string)))(),
            tf_comp(lambda so_far, new: tf.concat([so_far, [new]], 0), stacked, BLOCKS),
            tf_comp(lambda one, two: tf.concat([one, two], 0), stacked, stacked),
            tf_comp(lambda blocks: any_length(make(blocks)), stacked),
        )
        return send(tff.federated_map(opened, (key, tff.federated_broadcast(total))))

    return process


def opens(make):
    return lambda path: opened_at_the_clients(path, make)


def without_assertions(key, blocks):
    """Decrypts in a call that asks for Grappler's debug stripper."""
    config = config_pb2.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.debug_stripper = rewriter_config_pb2.RewriterConfig.ON
    function = CIPHER.decrypt.get_concrete_function()
    function.add_to_graph(tf.compat.v1.get_default_graph())
    (rows,) = tf.raw_ops.StatefulPartitionedCall(
        args=[key, blocks],
        Tout=[tf.int64],
        f=function,
        config_proto=config.SerializeToString(),
    )
    return tf.ensure_shape(rows, [None, CIPHER.num_slots])


def added_up(*counts):
    """Sums of so many copies of the first client's message, added up."""

    def make(blocks):
        copies = [CIPHER.add(tf.repeat(blocks[:1], count, axis=0)) for count in counts]
        return CIPHER.add(tf.stack(copies))

    return make


def opens_a_header(key, x):
    """What stands in the place of a header is a ciphertext that somebody chose."""
    mine = CIPHER.encrypt(key, x)
    length = block_tails.NUM_BYTES
    tail = tf.strings.substr(mine[0], -length, length)
    # In all coefficients the same.
    chosen = tf.strings.join(["\x01" * (CIPHER.block_bytes - length), tail])
    rows = CIPHER.decrypt(key, tf.concat([tf.stack([chosen]), mine], 0))
    return CIPHER.encrypt(key, tf.ensure_shape(rows[:1], ROW.shape))


def four_to_the_fifth(blocks):
    for _ in range(5):
        blocks = CIPHER.add(tf.tile(blocks[:1], [4, 1]))[tf.newaxis]
    return blocks[0]


@functools.cache
def with_another_modulus():
    known = parameters.choose_parameters(4, CODEC.bits)
    modulus = known.plaintext_modulus - known.two_n
    while not sympy.isprime(modulus):
        modulus -= known.two_n
    return shell_cipher.build_shell_cipher(
        dataclasses.replace(known, plaintext_modulus=modulus)
    )


def added_with_other_parameters(blocks):
    return with_another_modulus().add(blocks[:2])


def decrypted_with_other_parameters(key, blocks):
    return with_another_modulus().decrypt(key, blocks)


def under_a_fresh_key(key, x):
    del key
    return CIPHER.encrypt(CIPHER.keygen(), x)


def through_errors_that_nobody_reads(key, blocks):
    """A variable keeps what was decrypted in elements that are never consumed."""
    shape = [1, CIPHER.num_slots]
    kept = tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=shape)
    zeros = tf.zeros(shape, tf.int64)
    with tf.control_dependencies(
        [tf.raw_ops.AssignVariableOp(resource=kept, value=zeros)]
    ):
        blocks = tf.identity(blocks)

    def element(number):
        row = tf.ensure_shape(CIPHER.decrypt(key, blocks), shape)
        added = tf.raw_ops.AssignAddVariableOp(resource=kept, value=row)
        with tf.control_dependencies([added]):
            return number

    numbers = tf.data.Dataset.range(3).map(element)
    with tf.control_dependencies([numbers.reduce(np.int64(0), lambda a, b: a + b)]):
        return tf.raw_ops.ReadVariableOp(resource=kept, dtype=tf.int64)


def beside_the_sum(blocks):
    return tf.concat([CIPHER.add(blocks), blocks[0]], 0)


def named_like_the_adder(blocks):
    @tf.function(autograph=False)
    def add_ciphertexts(ciphertexts):
        return ciphertexts[0]

    return add_ciphertexts(blocks)


def chosen_by_the_server(blocks):
    # Opening (0, 1) gives the key. Nothing of it is a client's.
    return CIPHER.add(tf.fill(tf.shape(blocks), "\x01" * CIPHER.block_bytes))


def two_sums_computed_with(blocks):
    # What one sum has and the other has not is one client's vector.
    one = tf.io.decode_raw(CIPHER.add(blocks), tf.uint8)
    two = tf.io.decode_raw(CIPHER.add(blocks[1:]), tf.uint8)
    text = tf.io.serialize_tensor((one - two)[0])
    length = CIPHER.block_bytes
    return tf.strings.substr(text, -length, length)[tf.newaxis]


def a_sum_less_another(blocks):
    # With the adder, but of something that no client made.
    return CIPHER.add(tf.stack([CIPHER.add(blocks), two_sums_computed_with(blocks)]))


def encrypted_by_a_mixture(path):
    @tf_comp(np.str_, ROW)
    def encrypt(key, x):
        opened = CIPHER.decrypt(key, CIPHER.encrypt(key, x))
        known = tf.fill([], "\x00" * 30720)
        return CIPHER.encrypt(tf.where(x[0, 0] > 0, key, known), opened)

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        return send(tff.federated_map(encrypt, (key_at_clients(path), x)))

    return process


def number_of_blocks(path):
    @tf_comp(np.str_, ROW)
    def encrypt(key, x):
        opened = CIPHER.decrypt(key, CIPHER.encrypt(key, x))
        rows = tf.zeros(tf.stack([opened[0, 0], CIPHER.num_slots]), tf.int64)
        return CIPHER.encrypt(key, rows)

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        return send(tff.federated_map(encrypt, (key_at_clients(path), x)))

    return process


def prints_what_it_opened(path):
    @tf_comp(np.str_, ROW)
    def careless(key, x):
        opened = CIPHER.decrypt(key, CIPHER.encrypt(key, x))
        with tf.control_dependencies([tf.print(opened)]):
            return tf.constant(1)

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        return send(tff.federated_map(careless, (key_at_clients(path), x)))

    return process


def encrypted_with_known_noise(path):
    # The operation is the cipher's, but whoever knows the seed knows the noise.
    params = parameters.choose_parameters(4, CODEC.bits)

    @tf_comp(np.str_, ROW)
    def encrypt(key, x):
        context = shell_ops.context_import64(
            log_n=tf.cast(params.log_n, tf.uint64),
            main_moduli=list(params.ciphertext_moduli),
            aux_moduli=[],
            plaintext_modulus=params.plaintext_modulus,
            noise_variance=params.noise_variance,
            seed="0" * 64,
        ).shell_context
        plain = shell_ops.polynomial_import64(
            context, tf.transpose(x), scaling_factor=1.0, random_round=False
        )
        made = tf.io.parse_tensor(key, tf.variant)
        return tf.io.serialize_tensor(shell_ops.encrypt64(context, made, plain))

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        return send(tff.federated_map(encrypt, (key_at_clients(path), x)))

    return process


def record_behind_the_public_ones(path):
    # Read as the public records are, but one further.
    @tf_comp
    def read():
        behind = tf.data.TFRecordDataset([path]).skip(key_files.PUBLIC_RECORDS)
        return behind.batch(1).get_single_element()[0]

    return fed_comp(lambda: send(tff.federated_eval(read, tff.CLIENTS)))


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
    "length, reduced": (length_of_a_sequence(counted), Label.KEY, AGGREGATED),
    "length, mapped": (length_of_a_sequence(mapped_and_counted), Label.KEY, AGGREGATED),
    "a file": (through_a_file, Label.KEY, "made or read server"),
    "beside the sum": (opens(beside_the_sum), Label.OPENED_OWN, AGGREGATED),
    "adder's name": (opens(named_like_the_adder), Label.OPENED_OWN, AGGREGATED),
    "chosen ciphertext": (opens(chosen_by_the_server), Label.KEY, AGGREGATED),
    "chosen header": (
        lambda path: opened_at_the_clients(
            path, lambda b: CIPHER.add(b[:1]), encrypt_=opens_a_header
        ),
        Label.KEY,
        AGGREGATED,
    ),
    "difference": (opens(two_sums_computed_with), Label.OPENED_OWN, AGGREGATED),
    "difference, added": (opens(a_sum_less_another), Label.OPENED_OWN, AGGREGATED),
    "mixed key": (encrypted_by_a_mixture, Label.OPENED_OWN, AGGREGATED),
    "number of blocks": (number_of_blocks, Label.OPENED_OWN, AGGREGATED),
    "printed": (prints_what_it_opened, Label.OPENED_OWN, "leaving its graph"),
    "known noise": (encrypted_with_known_noise, Label.KEY, AGGREGATED),
    "configured call": (
        lambda path: opened_at_the_clients(path, CIPHER.add, open_=without_assertions),
        Label.KEY,
        AGGREGATED,
    ),
    "last record": (record_behind_the_public_ones, Label.KEY, AGGREGATED),
}


@pytest.mark.parametrize(
    "name",
    [
        # Longer; "picked sum", say, is the same leak as "one upload" in few operations.
        pytest.param(name, marks=pytest.mark.slow)
        if name in ("one upload", "difference", "difference, added", "number of blocks")
        else name
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


def read_public_records(path):
    """The last of the key file's records that are no secret."""
    number = key_files.PUBLIC_RECORDS

    @tf_comp
    def read():
        public = tf.data.TFRecordDataset([path]).take(number).batch(number)
        return tf.ensure_shape(public.get_single_element(), [number])[-1]

    return read


def test_public_records_of_a_key_file(path):
    read = read_public_records(path)
    process = fed_comp(lambda: send(tff.federated_eval(read, tff.CLIENTS)))
    assert not key_flow.analyse(process, path).violations


# What is no sum within the bounds, under this key and these parameters. The analysis does
# not see it, and need not: to decrypt it gives nothing.
OPENS_TO_NOTHING = {
    "five": (added_up(1, 4), {}),
    "eight": (added_up(4, 4), {}),
    "five and a message": (
        lambda b: CIPHER.add(tf.stack([added_up(1, 4)(b), b[1]])),
        {},
    ),
    "many": (four_to_the_fifth, {}),
    "other parameters": (CIPHER.add, {"open_": decrypted_with_other_parameters}),
    "fresh key": (CIPHER.add, {"encrypt_": under_a_fresh_key}),
    "elements": (four_to_the_fifth, {"open_": through_errors_that_nobody_reads}),
}


def what_the_server_gets(process):
    crossings = []
    context = runtime.InProcessContext([crossings.append], default_num_clients=2)
    with tff.framework.get_context_stack().install(context):
        process([np.full([1, CIPHER.num_slots], 3)] * 2)
    return crossings[-1].value


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("five", "other parameters", "elements")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in OPENS_TO_NOTHING
    ],
)
def test_what_is_no_sum_within_the_bounds_opens_to_nothing(name, path):
    make, others = OPENS_TO_NOTHING[name]
    with_another_modulus()  # Not while a graph is traced: it learns by encrypting.
    process = opened_at_the_clients(path, make, **others)
    key_flow.check(process, path)
    found = what_the_server_gets(process)
    assert found.shape == (1, CIPHER.num_slots) and not np.any(found)


def test_an_adder_of_parameters_that_nothing_is_encrypted_with_is_none(path):
    """Its sums would open to zeros; it is not known, and so is refused."""
    with_another_modulus()
    report = key_flow.analyse(opened_at_the_clients(path, added_with_other_parameters))
    assert Label.KEY in {violation.label for violation in report.violations}


def test_what_is_one_opens(path):
    process = opened_at_the_clients(path, added_up(1, 3))
    key_flow.check(process, path)
    np.testing.assert_array_equal(
        what_the_server_gets(process), np.full([1, CIPHER.num_slots], 12)
    )


def test_a_header_that_is_opened_leaks(path):
    """All of it comes from the key: what was chosen has one coefficient only."""
    process = LEAKS["chosen header"][0](path)
    assert len(np.unique(what_the_server_gets(process))) > CIPHER.num_slots // 2


def _low_bits(key):
    return sum((octet & 1) << (7 - place) for place, octet in enumerate(key[:8]))


# What crosses, of what the key is.
SAYS = {
    "the key itself": lambda sent, key: sent == key,
    "xor a constant": lambda sent, key: (sent ^ 90).astype(np.uint8).tobytes() == key,
    "while": lambda sent, key: sent == _low_bits(key),
    "number of steps": lambda sent, key: sent == (key[40],),
    "cond": lambda sent, key: sent == (key[40] > 100),
    "variable": lambda sent, key: sent == key[40],
    "data set": lambda sent, key: sent == 4 * key[40],
    "table": lambda sent, key: sent == key[40],
    "length, reduced": lambda sent, key: sent == key[40],
    "length, mapped": lambda sent, key: sent == key[40],
    "read_file": lambda sent, key: key in sent,
    "last record": lambda sent, key: sent == key,
}


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("the key itself", "number of steps", "length, reduced", "read_file")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in SAYS
    ],
)
def test_what_is_caught_leaks(name, path):
    """What is on the wire gives the key's octets away."""
    crossings = []
    context = runtime.InProcessContext([crossings.append], default_num_clients=1)
    process = LEAKS[name][0](path)
    with tff.framework.get_context_stack().install(context):
        process()
    (crossing,) = crossings
    assert SAYS[name](crossing.value, key_store.read(find(path), CIPHER).numpy())


def test_a_file_between_the_parties(path):
    """The server learns the key of a client that sent a number."""
    process = through_a_file(path)
    context = runtime.InProcessContext(default_num_clients=1)
    with tff.framework.get_context_stack().install(context):
        _, learnt = process()
    assert learnt == key_store.read(find(path), CIPHER).numpy()


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
    """Encrypting, opening a sum, and using what was opened."""
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
        # What a client opened of its own it may use, as long as nobody gets it.
        own = tff.federated_map(opened, (key, ciphertext))
        del own
        shared = tff.federated_map(opened, (key, tff.federated_broadcast(total)))
        return send(shared), shared, total

    report = key_flow.check(process, path)
    labels = [field.labels for c in report.to_server for field in c.fields]
    assert labels == [frozenset({Label.CIPHERTEXT}), frozenset({Label.DECRYPTED})]


def test_an_opened_message_is_no_result(path):
    """Whoever drives the computation gets it, and may send it as the next argument."""
    reopened = tf_comp(
        lambda key, x: CIPHER.decrypt(key, CIPHER.encrypt(key, x)), np.str_, ROW
    )

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS), tff.FederatedType(ROW, tff.CLIENTS))
    def process(carried, x):
        own = tff.federated_map(reopened, (key_at_clients(path), x))
        return own, tff.federated_sum(carried)

    with pytest.raises(key_flow.KeyLeakError, match="among the computation's results"):
        key_flow.check(process, path)


@pytest.mark.parametrize("known", [True, False])
def test_a_key_as_a_constant(path, known):
    secret = key_store.read(find(path), CIPHER).numpy()
    length = tf_comp(lambda key: tf.zeros([], tf.int32), np.str_)

    @fed_comp
    def process():
        literal = tff.federated_eval(tf_comp(lambda: tf.constant(secret)), tff.SERVER)
        return literal, tff.federated_map(length, key_at_clients(path))

    with pytest.raises(key_flow.KeyLeakError, match="standing in the computation"):
        key_flow.check(process, path if known else None)


def test_a_file_that_an_attribute_names_is_read(path):
    """Candidates are drawn by what stands in the file."""

    @tf_comp
    def sampled():
        return tf.raw_ops.FixedUnigramCandidateSampler(
            true_classes=tf.constant([[1]], tf.int64),
            num_true=1,
            num_sampled=2,
            unique=False,
            range_max=5,
            vocab_file=path,
        )[1]

    report = key_flow.analyse(
        fed_comp(lambda: tff.federated_eval(sampled, tff.SERVER)), path
    )
    assert Label.KEY in {violation.label for violation in report.violations}


def test_state_by_name_may_be_another_partys(path):
    """Runtimes keep parties apart; nothing in the computation says so."""

    def table():
        return tf.raw_ops.MutableHashTableV2(
            key_dtype=tf.int64, value_dtype=tf.int64, shared_name="everybody's"
        )

    @tf_comp(np.str_)
    def put(key):
        octet = tf.cast(tf.io.decode_raw(key, tf.uint8)[:1], tf.int64)
        zero = tf.zeros([1], tf.int64)
        written = tf.raw_ops.LookupTableInsertV2(
            table_handle=table(), keys=zero, values=octet
        )
        with tf.control_dependencies([written]):
            return tf.constant(0)

    @tf_comp
    def look_up():
        return tf.raw_ops.LookupTableFindV2(
            table_handle=table(),
            keys=tf.zeros([1], tf.int64),
            default_value=tf.constant(-1, tf.int64),
        )

    @fed_comp
    def process():
        sent = tff.federated_sum(tff.federated_map(put, key_at_clients(path)))
        return sent, tff.federated_eval(look_up, tff.SERVER)

    report = key_flow.analyse(process, path)
    assert any("computed server" in one.place for one in report.violations)


def test_two_keys_are_refused(path, tmp_path):
    """One of them might be known, and what is encrypted under it no secret."""
    keys = [find(path), key_store.create(tmp_path / "other.key", CIPHER)]

    @tf_comp
    def both():
        return tf.stack([key_store.read(key, CIPHER) for key in keys])

    process = fed_comp(lambda: tff.federated_eval(both, tff.CLIENTS))
    with pytest.raises(NotImplementedError, match="reads keys from 2 files"):
        key_flow.analyse(process)


def test_another_file_than_the_one_named_is_refused(path):
    reads = tf_comp(lambda key: tf.constant(0), np.str_)
    process = fed_comp(lambda: tff.federated_map(reads, key_at_clients(path)))
    with pytest.raises(ValueError, match="does not name this file"):
        key_flow.check(process, path + ".other")


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


@pytest.mark.slow
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
