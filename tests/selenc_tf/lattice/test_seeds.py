"""No seed is frozen, shown or used twice, whatever TensorFlow and XLA make of a graph.

Of every cipher of the catalogue, as the catalogue builds it. What the operating system
said in a test is known by a print beside it, so that graphs, what is saved, and what XLA
compiles can be searched for it and for what is made of it.
"""

import dataclasses
import functools
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from jaxlib import xla_extension
from tensorflow.python.framework import meta_graph
from tensorflow.python.grappler import tf_optimizer

from experiments.suites.device import saving, steps
from selenc_tf.lattice import block_tails, device_cipher, device_per_client
from selenc_tf.lattice.device import blocks as blocks_lib
from selenc_tf.lattice.device import entropy, rlwe
from tests.selenc_tf.lattice import ciphers, either, encrypting
from tests.selenc_tf.lattice.encrypting import BITS, SEED_BYTES, SUMMANDS, bodies, twice

CIPHERS = [
    one
    for one in ciphers.of_catalogue(SUMMANDS, {})
    if one.name != "identity_INSECURE"  # It hides nothing and draws nothing.
]
WITH_XLA = ("test_no_random_operation_of_tensorflow",)
OF_RLWE = {
    "device_rlwe": device_cipher.of_sums(SUMMANDS, BITS),
    "device_rlwe_per_client": device_per_client.of_sums(SUMMANDS, BITS),
}
# Of TensorFlow, in names of operations, and of XLA, in programs.
RANDOM = re.compile(
    r"random|rng|normal|uniform|binomial|multinomial|shuffle|deterministicints", re.I
)
# A zero that keeps tf-shell's reads of a key apart: `shell_context.py`.
NOT_FOR_SECRETS = {"tf_shell_bgv": {"RandomUniformInt"}}
RANDOM_HLO = re.compile(r"\brng(-[a-z-]+)?\(|RngBitGenerator", re.I)


@functools.cache
def phase_of(chosen):
    """From a secret, a seed of a with a number, and words to c - a s modulo p_0."""
    blocks = blocks_lib.Blocks(rlwe.Rlwe(dataclasses.replace(chosen, columns=1)))

    @tf.function(jit_compile=True, autograph=False)
    def phase(secret, seed, number, words):
        public = blocks.scheme.public(seed, number)
        product = chosen.moduli.multiply(public, secret[..., tf.newaxis])
        masks = chosen.transform.inverse(product)[..., 0]
        sent = blocks.unpack(words[tf.newaxis])[0]
        return tf.math.floormod(
            tf.cast(sent[0], tf.int64) - tf.cast(masks[0], tf.int64), chosen.primes[0]
        )

    return phase, rlwe.Rlwe(chosen), 4 * blocks.half_words


def phases(cipher, key, messages, released):
    """What only noise and plaintext are in, of each block of each message, as bytes.

    With plaintexts of zeros that is t times the noise.
    """
    chosen = OF_RLWE[either.name_of(cipher)]
    phase, scheme, half = phase_of(chosen)
    found = []
    for blocks, said in zip(messages, released, strict=True):
        if either.has_key(cipher):
            words = np.frombuffer(key.numpy()[block_tails.KEY_FRONT_BYTES :], "<u4")
            secret = words.reshape([len(chosen.primes), chosen.degree])
        else:
            secret = scheme.secret_values(said[1:] - 2 * chosen.variance)
            seed = device_per_client.round_seed(tf.io.decode_raw(key, tf.int64))
        for number, block in enumerate(np.asarray(blocks)):
            if either.has_key(cipher):
                number = 0
                seed = np.frombuffer(block[half : half + SEED_BYTES], "<u4")
            sent = np.frombuffer(block[:half], "<u4")
            noise = phase(secret, seed, tf.constant(number), sent).numpy()
            found.append(noise.tobytes())
    return found


def all_fresh(cipher, key, messages, released):
    """Whether no two blocks share any 32 bytes, no two messages a secret or noise."""
    found = bodies(messages)
    pieces = [body[i : i + 32] for body in found for i in range(0, len(body) - 31, 32)]
    secrets = {np.asarray(said).tobytes() for said in released}
    noises = (
        phases(cipher, key, messages, released)
        if either.name_of(cipher) in OF_RLWE
        else found
    )
    return (
        len(found) > 1
        and len(set(pieces)) == len(pieces)
        and len(set(noises)) == len(noises)
        and (either.has_key(cipher) or len(secrets) == len(released))
    )


def joined(calls):
    """Of several calls of `twice` all messages, and all that is released."""
    return [one for call in calls for one in call[0]], [
        one for call in calls for one in call[1]
    ]


@pytest.mark.slow
class TestFreshness:
    def test_in_one_graph_in_its_runs_and_after_retracing(self, cipher, key):
        both = twice(cipher)
        calls = [both(key, blocks) for blocks in (1, 1, 2, 19, 1)]
        assert both.experimental_get_tracing_count() == 3
        assert all_fresh(cipher, key, *joined(calls))

    def test_after_saving(self, cipher, key, tmp_path):
        module = tf.Module()
        both = twice(cipher)
        spec = tf.TensorSpec([], tf.string)
        module.both = tf.function(lambda given: both(given, 2), [spec])
        calls = [both(key, 2)]
        tf.saved_model.save(module, str(tmp_path))
        calls += [tf.saved_model.load(str(tmp_path)).both(key) for _ in range(2)]
        assert all_fresh(cipher, key, *joined(calls))
        texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        assert not any(shown(public_seeds(cipher, calls), text) for text in texts)

    def test_after_grappler(self, cipher, key):
        both, spec = twice(cipher), tf.TensorSpec([], tf.string)
        outer = tf.function(lambda given: both(given, 2), [spec], autograph=False)
        concrete = outer.get_concrete_function()
        graph = optimised(concrete)
        with tf.Graph().as_default() as again:
            tf.import_graph_def(graph, name="")
        ends = tf.nest.map_structure(lambda one: one.name, concrete.structured_outputs)
        # Not in this process's functions, of which some have the same names.
        with tf.compat.v1.Session(graph=again) as session:
            given = {concrete.inputs[0].name: key.numpy()}
            calls = [session.run(ends, given) for _ in range(2)]
        calls.append(outer(key))
        assert all_fresh(cipher, key, *joined(calls))
        assert not shown(public_seeds(cipher, calls), graph.SerializeToString())


def optimised(concrete):
    """A graph as Grappler leaves it, with all that it does inside of functions."""
    graph = concrete.graph.as_graph_def()
    config = tf.compat.v1.ConfigProto()
    rewrites = config.graph_options.rewrite_options
    rewrites.min_graph_nodes = -1
    rewrites.fail_on_optimizer_errors = True
    rewrites.optimizers.extend(
        "pruning function common_subgraph_elimination constfold arithmetic "
        "dependency loop remap".split()
    )
    with tf.Graph().as_default() as whole:
        tf.import_graph_def(graph, name="")
    described = meta_graph.create_meta_graph_def(graph=whole, graph_def=graph)
    ends = described.collection_def["train_op"].node_list.value
    ends.extend(one.name for one in tf.nest.flatten(concrete.structured_outputs))
    return tf_optimizer.OptimizeGraph(config, described)


def public_seeds(cipher, calls):
    """Those that uploads have in them."""
    if not either.has_key(cipher) or cipher.name == "tf_shell_bgv":
        return set()
    messages, _ = joined(calls)
    return {body[-SEED_BYTES:] for body in bodies(messages)}


def shown(seeds, text):
    """Whether half of a seed's words stand in bytes: one or another may by chance."""
    return any(
        2 * sum(any(one in text for one in shown_as(int(word))) for word in words)
        >= len(words)
        for words in (np.frombuffer(seed, "<u4") for seed in seeds)
    )


def shown_in_text(seeds, text):
    """`shown` of a program as text, where constants are numbers."""
    there = set(map(int, re.findall(r"\d+", text)))
    return any(
        2 * sum(int(word) in there for word in words) >= len(words)
        for words in (np.frombuffer(seed, "<u4") for seed in seeds)
    )


def shown_as(word):
    """Four bytes in either order, a number, or the numbers of protocol buffers."""
    octets, rest, written = word.to_bytes(4, "little"), word, []
    while rest >> 7:
        written.append(rest & 127 | 128)
        rest >>= 7
    found = [octets, octets[::-1], str(word).encode()]
    # Short ones would be met by chance.
    return [*found, bytes([*written, rest])] if len(written) > 3 else found


def operations(function):
    graph = function.get_concrete_function().graph.as_graph_def()
    inner = (one.node_def for one in graph.library.function)
    return {node.op for nodes in (graph.node, *inner) for node in nodes}


def test_no_random_operation_of_tensorflow(cipher):
    functions = [cipher.encrypt, cipher.add]
    functions += [cipher.keygen, cipher.decrypt] if either.has_key(cipher) else []
    functions += [] if either.has_key(cipher) else [cipher.release, cipher.open]
    found = set().union(*map(operations, functions))
    assert len(found) > 5
    random = {name for name in found if RANDOM.search(name)}
    assert random <= NOT_FOR_SECRETS.get(cipher.name, set())


@pytest.mark.parametrize(
    "call",
    [
        lambda: tf.random.uniform([3]),
        lambda: tf.random.stateless_uniform([3], [1, 2]),
        lambda: tf.raw_ops.NonDeterministicInts(shape=[3]),
        lambda: tf.random.Generator.from_seed(1).normal([3]),
        lambda: tf.random.shuffle([1, 2]),
    ],
)
def test_a_random_operation_would_be_found(call):
    with tf.Graph().as_default() as graph:
        call()
    assert any(RANDOM.search(one.op) for one in graph.as_graph_def().node)


def compiled_by(name, folder):
    """All programs of a process that encrypts, and the lines that it says."""
    flags = "--xla_dump_hlo_as_text --xla_dump_large_constants"
    ended = subprocess.run(
        [sys.executable, "-m", encrypting.__name__, name],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XLA_FLAGS": f"--xla_dump_to={folder} {flags}"},
    )
    programs = [
        path.read_text()
        for path in sorted(folder.glob("*.txt"))
        if "before_optimizations" in path.name or "after_optimizations." in path.name
    ]
    return programs, ended.stdout.splitlines()


def numbers(line):
    return np.array([int(word) for word in re.findall(r"\d+", line)], np.uint32)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OF_RLWE, "additive_pad"])
def test_no_seed_in_what_xla_compiles(name, tmp_path):
    """Not what the operating system said, nor any seed that is made of it."""
    programs, lines = compiled_by(name, tmp_path)
    entries = [one for one in programs if "ENTRY" in one]
    assert len(entries) >= 10
    said = [numbers(line) for line in lines if line.startswith("drawn")]
    drawn = [one[one != 0] for one in said]
    # Of the key two; of each message one, or two if it has a secret of its own.
    assert len(drawn) == (8 if name.endswith("per_client") else 2 + 4)
    assert len({one.tobytes() for one in drawn}) == len(drawn)
    seeds = [numbers(line) for line in lines if line.startswith("seed")]
    secrets = [entropy.mix_words(one).numpy() for one in said]
    streams = [entropy.stream(one).numpy() for one in said]
    secrets += [seed for one in streams for seed in entropy.two_seeds(one)]
    known = {one.tobytes() for one in (*drawn, *secrets, *seeds)}
    for program in entries:
        assert not shown_in_text(known, program)
        assert not RANDOM_HLO.search(program)


@pytest.mark.slow
def test_no_seed_in_programs_that_are_saved(tmp_path):
    """By `--suite=device --save_programs`, which saves arguments in files of their own."""
    sides = [steps.build_rlwe(own, 1, 1) for own in (False, True)]
    sides.append(steps.build_pad(8, 1))
    for side in sides:
        for step in side.steps:
            saving.save(tmp_path, side, step)
    paths = sorted(tmp_path.glob("*.hlo"))
    assert len(paths) == 10
    for path in paths:
        program, text = path.read_bytes(), text_of(path)
        with np.load(path.with_suffix(".npz")) as data:
            given = [
                np.ravel(data[name])[:64]
                for name in data.files
                if name.startswith("argument") and data[name].dtype == np.uint32
            ]
        seeds = {one.tobytes() for one in given if np.any(one)}
        assert seeds and "ENTRY" in text
        assert not shown(seeds, program) and not shown_in_text(seeds, text)
        assert not RANDOM_HLO.search(text)


def text_of(path):
    computation = xla_extension.XlaComputation(path.read_bytes())
    options = xla_extension.HloPrintOptions()
    options.print_large_constants = True
    return computation.get_hlo_module().to_string(options)


def test_a_frozen_seed_would_be_found(tmp_path):
    """In a program's text, and in what is saved of it."""
    seed = np.arange(1, 9, dtype=np.uint32) * np.uint32(0x1F3D5B79)
    frozen = tf.function(
        lambda values: values + tf.constant(seed), jit_compile=True, autograph=False
    )
    step = steps.Step(frozen, (tf.zeros([8], tf.uint32),))
    saving.save(tmp_path, steps.Side("frozen", 8, 1.0, {"add": step}, None), "add")
    (path,) = tmp_path.glob("*.hlo")
    assert shown({seed.tobytes()}, path.read_bytes())
    assert shown_in_text({seed.tobytes()}, text_of(path))
