"""TFF computations that leak: what they are, and by which way."""

import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow.core.framework import attr_value_pb2
from tf_shell.python import shell_ops

import federated  # noqa: F401
from federated import aggregators
from federated.key_flow import key_files
from federated.key_flow.labels import Label
from selenc_tf.lattice import (
    block_tails,
    key_store,
    parameters,
)
from tests.federated.key_flow.openings import (
    a_sum_less_another,
    beside_the_sum,
    chosen_by_the_server,
    header_in_the_middle,
    named_like_the_adder,
    opened_at_the_clients,
    opens,
    opens_a_header,
    serialised,
    two_sums_computed_with,
    without_assertions,
)
from tests.federated.key_flow.parts import (
    BLOCKS,
    ROW,
    any_length,
    encryption,
    find,
    key_at_clients,
    reader,
    send,
)
from tests.federated.rounds import CIPHER, CODEC

PLACE = block_tails.KEY_FRONT_BYTES + 44
"""Of an octet of a key that is secret."""

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation


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
    limit = octets(key)[PLACE]
    return tf.while_loop(lambda i: i < limit, lambda i: [i + 1], [0])


def branch(key):
    return tf.cond(octets(key)[PLACE] > 100, lambda: 1, lambda: 0)


def switch_case(key):
    return tf.switch_case(octets(key)[PLACE] % 3, [lambda: 5, lambda: 7, lambda: 9])


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
    with tf.control_dependencies([kept.assign(octets(key)[PLACE])]):
        return kept.read_value()


def data_set(key):
    numbers = tf.data.Dataset.range(4).map(lambda i: octets(key)[PLACE])
    return numbers.reduce(0, lambda one, two: one + two)


def table(key):
    lookup = tf.lookup.experimental.DenseHashTable(
        tf.int32, tf.int32, default_value=-1, empty_key=-2, deleted_key=-3
    )
    with tf.control_dependencies([lookup.insert([1], octets(key)[PLACE : PLACE + 1])]):
        return lookup.lookup(tf.constant([1]))


def end_of_sequence(key):
    """A function fails where the secret says; that ends the data set, as an end does."""
    secret = tf.cast(octets(key)[PLACE], tf.int64)

    def element(number, secret):
        iterator = tf.raw_ops.AnonymousIteratorV3(
            output_types=[tf.int64], output_shapes=[[]]
        )
        ends = tf.data.Dataset.range(1).take(secret - number)
        made = tf.raw_ops.MakeIterator(dataset=ends._variant_tensor, iterator=iterator)
        with tf.control_dependencies([made]):
            (one,) = tf.raw_ops.IteratorGetNext(
                iterator=iterator, output_types=[tf.int64], output_shapes=[[]]
            )
        with tf.control_dependencies([one]):
            return tf.identity(number)

    number = tf.TensorSpec([], tf.int64)
    function = tf.function(element, [number, number], autograph=False)
    mapped = tf.raw_ops.MapDataset(
        input_dataset=tf.data.Dataset.range(256)._variant_tensor,
        other_arguments=[secret],
        f=function.get_concrete_function(),
        output_types=[tf.int64],
        output_shapes=[[]],
        preserve_cardinality=False,
    )
    count = tf.function(lambda so_far, _: so_far + 1, [number, number], autograph=False)
    (total,) = tf.raw_ops.ReduceDataset(
        input_dataset=mapped,
        initial_state=[tf.constant(0, tf.int64)],
        other_arguments=[],
        f=count.get_concrete_function(),
        output_types=[tf.int64],
        output_shapes=[[]],
    )
    return total


def after(count, value):
    """The value, once a loop has made so many turns."""
    (turns,) = tf.while_loop(lambda i: i < count, lambda i: [i + 1], [0])
    with tf.control_dependencies([turns]):
        return tf.identity(value)


def turns_of(key):
    return tf.bitwise.bitwise_and(octets(key)[PLACE], 1) * 6000


def whichever_comes_first(key):
    first, second = after(turns_of(key), 1), after(1500, 2)
    return tf.raw_ops.Merge(inputs=[first, second])[0]


def a_race_for_a_variable(key):
    kept = tf.raw_ops.AnonymousMutableHashTable(
        key_dtype=tf.int32, value_dtype=tf.int32
    )
    insert = tf.raw_ops.LookupTableInsertV2(
        table_handle=kept, keys=after(turns_of(key), [7]), values=[5]
    )
    del insert
    with tf.control_dependencies([after(1500, 0)]):
        return tf.raw_ops.LookupTableSizeV2(table_handle=kept)


def an_iterator_at_a_secret_time(key):
    elements = tf.data.Dataset.range(64).map(
        lambda i: i + 1, num_parallel_calls=4, deterministic=False
    )
    iterator = tf.raw_ops.AnonymousIteratorV3(
        output_types=[tf.int64], output_shapes=[[]]
    )
    made = tf.raw_ops.MakeIterator(dataset=elements._variant_tensor, iterator=iterator)
    with tf.control_dependencies([made, after(turns_of(key), 0)]):
        return tf.raw_ops.IteratorGetNext(
            iterator=iterator, output_types=[tf.int64], output_shapes=[[]]
        )[0]


def memory_that_nobody_wrote(key):
    del key
    return tf.raw_ops.FakeParam(dtype=tf.int32, shape=[1000])


def solution_of_no_equations(key):
    """A pure operation that leaves its result as it found the memory."""
    del key
    return tf.raw_ops.MatrixSolveLs(
        matrix=tf.zeros([0, 100], tf.float64),
        rhs=tf.zeros([0, 4], tf.float64),
        l2_regularizer=tf.constant(0.0, tf.float64),
    )


def transform_of_no_rows(key):
    del key
    return tf.raw_ops.RFFT2D(input=tf.zeros([0, 8]), fft_length=[100, 6])


def written_over_an_input(key):
    """An attribute that no operation has: the result lies where others still read."""
    zero = tf.random.uniform([], 0, 1, tf.int32)  # Not known before it is run.
    public = tf.raw_ops.Cumsum(x=tf.fill([4], zero), axis=0)
    secret = tf.raw_ops.AddV2(x=public, y=octets(key)[PLACE : PLACE + 4])
    reused = attr_value_pb2.AttrValue()
    reused.list.i.extend([0, 0])
    secret.op._set_attr("_forward_input", reused)
    with tf.control_dependencies([secret]):
        sent = tf.raw_ops.Roll(input=public, shift=1, axis=0)
    return sent, secret


def sends_the_first(body):
    """A process whose clients send the first of what `body` makes of the key."""

    def build(path):
        made = tf_comp(body, np.str_)
        first = tf_comp(lambda pair: pair[0], made.type_signature.result)
        return fed_comp(
            lambda: send(
                tff.federated_map(first, tff.federated_map(made, key_at_clients(path)))
            )
        )

    return build


def switch_and_merge(key):
    # Control flow of TensorFlow 1: the branches hold constants.
    predicate = octets(key)[PLACE] > 100
    off, on = tf.raw_ops.Switch(data=predicate, pred=predicate)
    with tf.control_dependencies([off]):
        zero = tf.constant(0)
    with tf.control_dependencies([on]):
        one = tf.constant(1)
    return tf.raw_ops.Merge(inputs=[zero, one])[0]


def as_select_keys(path):
    rows = tff.FederatedType(tff.TensorType(np.float32, [256]), tff.SERVER)
    pick = tf_comp(lambda table, row: table[row], rows.member, np.int32)
    to_keys = tf_comp(lambda key: tf.reshape(octets(key)[PLACE], [1]), np.str_)

    @fed_comp(rows)
    def process(table):
        keys = tff.federated_map(to_keys, key_at_clients(path))
        size = tff.federated_value(256, tff.SERVER)
        return tff.federated_select(keys, size, table, pick)

    return process


def in_a_plain_sum(path):
    first = tf_comp(lambda key: octets(key)[PLACE], np.str_)
    return fed_comp(
        lambda: tff.federated_sum(tff.federated_map(first, key_at_clients(path)))
    )


def in_a_secure_sum(path):
    first = tf_comp(lambda key: octets(key)[PLACE], np.str_)
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
            lambda key: tf.data.Dataset.range(tf.cast(octets(key)[PLACE], tf.int64)),
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
    "serialised": (opens(serialised), Label.KEY, AGGREGATED),
    "header in the middle": (opens(header_in_the_middle), Label.KEY, AGGREGATED),
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
    "end of a sequence": (key_through(end_of_sequence), Label.KEY, AGGREGATED),
    "first come": (key_through(whichever_comes_first), Label.KEY, AGGREGATED),
    "race": (key_through(a_race_for_a_variable), Label.KEY, AGGREGATED),
    "order": (key_through(an_iterator_at_a_secret_time), Label.KEY, AGGREGATED),
    "unwritten memory": (
        key_through(memory_that_nobody_wrote),
        Label.KEY,
        AGGREGATED,
    ),
    "no equations": (key_through(solution_of_no_equations), Label.KEY, AGGREGATED),
    "no rows": (key_through(transform_of_no_rows), Label.KEY, AGGREGATED),
    "written over an input": (
        sends_the_first(written_over_an_input),
        Label.KEY,
        "leaving its graph",
    ),
}
