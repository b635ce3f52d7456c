"""What is particular to tf-shell: freshness, contexts, the layout of its bytes."""

import contextlib
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config
from tf_shell.python import shell_ops

from selenc_tf.lattice import (
    block_tails,
    framing,
    parameters,
    shell_cipher,
    shell_context,
)

PARAMETERS = parameters.choose_parameters(num_summands=3, quantisation_bits=8)
CIPHER = shell_cipher.build_shell_cipher(PARAMETERS)
LAYOUTS = shell_cipher._learn_layouts(PARAMETERS)
N = CIPHER.num_slots
DIGEST = PARAMETERS.digest(block_tails.DIGEST_DIGITS)
KEY_BYTES = block_tails.KEY_FRONT_BYTES + LAYOUTS.key.num_bytes
ONES = np.ones([1, N], np.int64)

# As far as TensorFlow can be told to go.
AGGRESSIVE = {
    option: True
    for option in (
        "arithmetic_optimization",
        "constant_folding",
        "dependency_optimization",
        "function_optimization",
        "implementation_selector",
        "layout_optimizer",
        "loop_optimization",
        "pin_to_host_optimization",
        "remapping",
        "scoped_allocator_optimization",
        "shape_optimization",
    )
}


@pytest.fixture(scope="module")
def key():
    return CIPHER.keygen()


@contextlib.contextmanager
def optimizer(options, jit):
    tf.config.optimizer.set_experimental_options(options)
    tf.config.optimizer.set_jit(jit)
    try:
        yield
    finally:
        # Options cannot be unset, only set to what they are by default.
        defaults = {name: name != "pin_to_host_optimization" for name in options}
        defaults["disable_meta_optimizer"] = False
        tf.config.optimizer.set_experimental_options(defaults)
        tf.config.optimizer.set_jit(False)


def careless_encrypt(key, values):
    """As one would write it: one context, and nothing that keeps nodes apart."""
    context = shell_context.make(PARAMETERS)

    def encrypt():
        parsed = LAYOUTS.read_key(LAYOUTS.check_key(key, DIGEST, tf.constant(0)))
        return LAYOUTS.block.strip_all(shell_cipher._encrypt(context, parsed, values))

    return encrypt(), encrypt()


def careful_encrypt(key, values):
    return CIPHER.encrypt(key, values), CIPHER.encrypt(key, values)


def graphs_of(encrypt, key):
    """Functions of nothing; each returns ciphertexts of one plaintext."""
    text, ones = key.numpy(), ONES

    @tf.function(autograph=False)
    def twice_in_a_graph():
        return tf.concat(encrypt(key, tf.identity(ones)), 0)

    @tf.function(autograph=False)
    def of_constants():
        return tf.concat(encrypt(tf.constant(text), tf.constant(ones)), 0)

    @tf.function(autograph=False)
    def in_a_loop():
        constants = tf.constant(text), tf.constant(ones)
        return tf.while_loop(
            lambda i, _: i < 3,
            lambda i, found: (i + 1, tf.concat([found, *encrypt(*constants)], 0)),
            (0, tf.zeros([0], tf.string)),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
        )[1]

    @tf.function(autograph=False)
    def in_a_map():
        constants = tf.constant(text), tf.constant(ones)
        found = tf.map_fn(
            lambda _: tf.concat(encrypt(*constants), 0),
            tf.range(3),
            fn_output_signature=tf.TensorSpec([2], tf.string),
        )
        return tf.reshape(found, [-1])

    inner = tf.function(encrypt, autograph=False)

    @tf.function(autograph=False)
    def in_nested_functions():
        return tf.concat([*inner(key, ones), *inner(key, ones)], 0)

    return (twice_in_a_graph, of_constants, in_a_loop, in_a_map, in_nested_functions)


class TestFreshness:
    @pytest.mark.parametrize(
        ("options", "jit"),
        [
            ({}, False),
            pytest.param(AGGRESSIVE, False, marks=pytest.mark.slow),
            pytest.param(
                {"disable_meta_optimizer": True}, False, marks=pytest.mark.slow
            ),
            pytest.param(AGGRESSIVE, "autoclustering", marks=pytest.mark.slow),
        ],
        ids=["default", "aggressive", "unoptimised", "autoclustering"],
    )
    def test_no_ciphertext_comes_twice(self, key, options, jit):
        with optimizer(options, jit):
            for graph in graphs_of(careful_encrypt, key):
                found = [block for _ in range(3) for block in graph().numpy()]
                assert len({*found}) == len(found) >= 6, graph
                np.testing.assert_array_equal(
                    CIPHER.decrypt(key, found), np.repeat(ONES, len(found), axis=0)
                )

    @pytest.mark.slow
    def test_without_care_it_would(self, key):
        repeated = [
            len({*found}) < len(found)
            for graph in graphs_of(careless_encrypt, key)
            for found in [graph().numpy()]
        ]
        assert all(repeated)

    def test_calls(self, key):
        one, two = CIPHER.encrypt(key, ONES), CIPHER.encrypt(key, ONES)
        assert one[0] != two[0]

    def test_in_deterministic_mode(self, key):
        config.enable_op_determinism()
        try:
            tf.random.set_seed(1)
            one = CIPHER.encrypt(key, ONES)
            tf.random.set_seed(1)
            two = CIPHER.encrypt(key, ONES)
        finally:
            config.disable_op_determinism()
        assert one[0] != two[0]

    def test_keys(self):
        @tf.function(autograph=False)
        def pair():
            return CIPHER.keygen(), CIPHER.keygen()

        keys = {key.numpy() for _ in range(3) for key in pair()}
        assert len(keys) == 6

    @pytest.mark.slow
    def test_without_care_keys_would_be_the_same(self):
        # Nothing but constants goes in: TensorFlow makes the key while it optimises.
        @tf.function(autograph=False)
        def careless():
            key = shell_ops.key_gen64(shell_context.make(PARAMETERS))
            return LAYOUTS.key.strip(key)

        assert careless() == careless()

    def test_xla_refuses_it(self, key):
        # It has no kernels for strings, variants, or tf-shell's operations.
        compiled = tf.function(careful_encrypt, jit_compile=True, autograph=False)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="unsupported operations"
        ):
            compiled(key, ONES)

    def test_another_key_does_not_decrypt(self, key):
        assert not np.any(CIPHER.decrypt(CIPHER.keygen(), CIPHER.encrypt(key, ONES)))


class TestKey:
    # Keys of former versions had no id in front.
    @pytest.mark.parametrize("size", [-1, 1, None, -block_tails.KEY_FRONT_BYTES])
    def test_other_lengths_are_refused_without_showing_it(self, key, size):
        wrong = (b"SECRET" * KEY_BYTES)[: KEY_BYTES + size] if size else b""
        message = f"the_secret_key_must_have_{KEY_BYTES}_bytes"
        for call in (
            lambda: CIPHER.encrypt(wrong, ONES),
            lambda: CIPHER.decrypt(wrong, CIPHER.encrypt(key, ONES)),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match=message) as error:
                call()
            assert "SECRET" not in str(error.value)

    def test_any_bytes_are_safe(self, key):
        garbage = DIGEST.encode() + b"\xff" * (KEY_BYTES - len(DIGEST))
        CIPHER.decrypt(garbage, CIPHER.encrypt(garbage, ONES))
        CIPHER.decrypt(garbage, CIPHER.encrypt(key, ONES))

    def test_many_uses_in_one_graph(self, key):
        # Ciphertexts point into the context of their key; were keys merged over
        # contexts, this would read freed memory.
        @tf.function(autograph=False)
        def encrypt_many():
            return tf.concat([CIPHER.encrypt(key, ONES) for _ in range(8)], 0)

        for _ in range(5):
            found = CIPHER.decrypt(key, encrypt_many())
            np.testing.assert_array_equal(found, np.repeat(ONES, 8, axis=0))


def seeded_encryption(key, zero):
    """Encrypts with a generator whose seed is fixed; for tests only."""
    context = shell_ops.context_import64(
        log_n=tf.cast(PARAMETERS.log_n + zero, tf.uint64),
        main_moduli=list(PARAMETERS.ciphertext_moduli),
        aux_moduli=[],
        plaintext_modulus=PARAMETERS.plaintext_modulus,
        noise_variance=PARAMETERS.noise_variance,
        seed="a".ljust(64),
    ).shell_context
    parsed = LAYOUTS.read_key(LAYOUTS.check_key(key, DIGEST, zero))
    return LAYOUTS.block.strip_all(shell_cipher._encrypt(context, parsed, ONES))


def what_contexts_depend_on(function):
    """The kinds of operations before any `ContextImport64` in a function's graph."""
    library = function.get_concrete_function().graph.as_graph_def().library
    (nodes,) = (
        {node.name: node for node in body.node_def}
        for body in library.function
        if any(node.op == "ContextImport64" for node in body.node_def)
    )
    pending = [node for node in nodes.values() if node.op == "ContextImport64"]
    found = set()
    while pending:
        for name in pending.pop().input:
            before = nodes[name.removeprefix("^").split(":")[0]]
            found.add(before.op)
            pending.append(before)
    return found


class TestContext:
    def test_one_of_constants_is_made_once(self, key):
        # The generator goes on from run to run, so the context is still the first one.
        kept = tf.function(
            lambda key: seeded_encryption(key, tf.constant(0)), autograph=False
        )
        assert kept(key)[0] != kept(key)[0]
        # A context that starts anew starts with the same numbers, with such a seed.
        anew = tf.function(
            lambda key: seeded_encryption(key, shell_context.unmergeable_zero()),
            autograph=False,
        )
        assert anew(key)[0] == anew(key)[0]

    def test_which_are_made_once(self):
        assert what_contexts_depend_on(CIPHER.decrypt) == {"Const", "Cast"}
        assert "RandomUniformInt" in what_contexts_depend_on(CIPHER.encrypt)
        assert "RandomUniformInt" in what_contexts_depend_on(CIPHER.keygen)

    @pytest.mark.slow
    def test_threads_may_share_it(self, key):
        encrypted = CIPHER.encrypt(key, ONES)
        found, start = [], threading.Barrier(4)

        def work():
            start.wait()
            for _ in range(5):
                total = CIPHER.add(tf.stack([encrypted] * 3))
                found.append(CIPHER.decrypt(key, total).numpy())

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        np.testing.assert_array_equal(found, [3 * ONES] * 20)


class TestInFederatedComputations:
    def test_round_trip_and_freshness(self, federation):
        import tensorflow_federated as tff

        text, texts = tff.TensorType(np.str_), tff.TensorType(np.str_, [None])
        values = tff.TensorType(np.int64, [None, N])
        local = tff.tensorflow.computation
        keygen = local(CIPHER.keygen)
        encrypt = local(careful_encrypt, (text, values))
        add = local(CIPHER.add, tff.TensorType(np.str_, [None, None]))
        decrypt = local(CIPHER.decrypt, (text, texts))

        key = keygen()
        assert keygen() != key
        pairs = [encrypt(key, ONES) for _ in range(2)]
        found = [block for pair in pairs for part in pair for block in part]
        assert len({*found}) == 4
        total = add(np.reshape(np.array(found[:3], object), [3, 1]))
        np.testing.assert_array_equal(decrypt(key, total), 3 * ONES)

    def test_key_flow_follows_it(self):
        from federated.key_flow import CipherOps, graph_taint
        from federated.key_flow.labels import SHOWN, Label

        def labels(function, *inputs):
            """Of the result, if each input's spec carries the labels beside it."""
            with tf.Graph().as_default() as graph:
                placeholders = [
                    tf.compat.v1.placeholder(spec.dtype, spec.shape, f"in{i}")
                    for i, (spec, _) in enumerate(inputs)
                ]
                tf.identity(function(*placeholders), "result")
            feeds = {f"in{i}": frozenset(given) for i, (_, given) in enumerate(inputs)}
            taint = graph_taint.GraphTaint(graph.as_graph_def(), CipherOps.of(CIPHER))
            (found,) = taint.outputs(feeds, ["result:0"])
            assert not taint.exports
            return {*found & SHOWN}

        key = (tf.TensorSpec([], tf.string), {Label.KEY})
        values = (tf.TensorSpec([None, N], tf.int64), ())
        many = tf.TensorSpec([None, None], tf.string)
        blocks = tf.TensorSpec([None], tf.string)
        total = {Label.SUM}
        assert labels(CIPHER.keygen) == {Label.KEY}
        assert labels(CIPHER.encrypt, key, values) == {Label.CIPHERTEXT}
        assert labels(CIPHER.add, (many, {Label.SUM})) == total
        assert labels(CIPHER.decrypt, key, (blocks, total)) == {Label.DECRYPTED}
        own = (blocks, {Label.CIPHERTEXT})
        assert labels(CIPHER.decrypt, key, own) == {Label.OPENED_OWN}


@pytest.mark.parametrize(
    "several",
    [
        # tf-shell does not even decode what it encoded with the first.
        (12, (68719403009, 137438822401), 137439010817, 3),
        (12, (1073692673, 1073668097), 1073651713, 3),
        (13, (133857281, 133644289), 16760833, 1),
    ],
)
def test_several_moduli_are_refused(several):
    with pytest.raises(ValueError, match="must be a single prime"):
        shell_cipher.build_shell_cipher(parameters.Parameters(*several))


@pytest.mark.slow
def test_two_moduli_in_one_graph():
    """Keys are as long, and TensorFlow might take reading one for reading the other."""
    one, two = (
        shell_cipher.build_shell_cipher(
            parameters.Parameters(12, (prime,), 34359754753, 2)
        )
        for prime in (35184371884033, 17592186175489)
    )
    values = tf.random.stateless_uniform(
        [1, one.num_slots], (1, 2), -(10**9), 10**9, tf.int64
    )

    @tf.function(autograph=False)
    def opened(first_key, second_key, first, second):
        return one.decrypt(first_key, first), two.decrypt(second_key, second)

    keys = [cipher.keygen() for cipher in (one, two)]
    sums = [
        cipher.add(tf.stack([cipher.encrypt(key, values)] * 2))
        for cipher, key in zip((one, two), keys, strict=True)
    ]
    for found in opened(*keys, *sums):
        np.testing.assert_array_equal(found, 2 * values)
    # One key for both is none for one of them.
    for key in keys:
        with pytest.raises(tf.errors.InvalidArgumentError, match="same_parameters"):
            opened(key, key, *sums)


class TestFraming:
    sample = staticmethod(
        lambda: tf.io.serialize_tensor(
            shell_ops.key_gen64(shell_context.make(PARAMETERS))
        ).numpy()
    )

    def test_nothing_but_coefficients_differs(self):
        samples = [self.sample() for _ in range(3)]
        lengths = LAYOUTS.key.lengths
        assert framing.learn(samples, lengths) == LAYOUTS.key

    def test_inverse(self, key):
        coefficients = key.numpy()[block_tails.KEY_FRONT_BYTES :]
        again = LAYOUTS.key.strip(LAYOUTS.key.frame(coefficients))
        assert again == coefficients

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda text: text[1:], "begin as a scalar"),
            (lambda text: text[:4] + text[5:], "begin as a scalar"),
            (lambda text: text[:5] + bytes(99) + text[5:], "begin soon after byte 0"),
            (lambda text: text + bytes(200), "bytes follow"),
            (lambda text: text[:-30], "bytes follow"),
            (lambda text: text[:-1] + b"?", "samples differ"),
        ],
    )
    def test_other_layouts_are_refused(self, spoil, message):
        with pytest.raises(RuntimeError, match=message):
            framing.learn([self.sample(), spoil(self.sample())], LAYOUTS.key.lengths)
