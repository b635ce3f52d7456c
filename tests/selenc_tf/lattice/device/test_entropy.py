"""Seeds are new in every run and at every place, and stand in no graph."""

import struct
import uuid

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import rewriter_config_pb2

from selenc_tf.lattice.device import entropy
from tests.selenc_tf.lattice.device import rfc8439


@tf.function(input_signature=[], autograph=False)
def two_seeds():
    return tf.stack([entropy.draw_seed(), entropy.draw_seed()])


def seeds_of(calls):
    """As bytes, from a list of uint32 [.., 8]."""
    return [row.tobytes() for call in calls for row in np.reshape(call, [-1, 8])]


def all_new(calls):
    seeds = seeds_of(calls)
    return len(set(seeds)) == len(seeds) > 1


def test_of_256_bits():
    seed = entropy.draw_seed()
    assert seed.dtype == tf.uint32 and seed.shape == [entropy.SEED_WORDS]


def test_new_in_every_eager_call():
    assert all_new([entropy.draw_seed() for _ in range(3)])


def test_new_at_every_place_and_in_every_run():
    assert all_new([two_seeds() for _ in range(3)])


def test_new_when_traced_again():
    calls = [
        tf.function(entropy.draw_seed, autograph=False).get_concrete_function(one)()
        for one in (entropy.SOURCE, entropy.SOURCE)
    ]
    assert all_new(calls)


def test_new_in_every_turn_of_a_loop():
    draw = tf.function(
        lambda: tf.map_fn(
            lambda _: entropy.draw_seed(),
            tf.range(4),
            fn_output_signature=tf.TensorSpec([8], tf.uint32),
        ),
        autograph=False,
    )
    assert all_new([draw(), draw()])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a saved graph, and the seeds that it had drawn before it was saved."""
    module = tf.Module()
    module.draw = two_seeds
    drawn = seeds_of([two_seeds() for _ in range(2)])
    folder = tmp_path_factory.mktemp("saved")
    tf.saved_model.save(module, str(folder))
    return folder, drawn


def test_new_after_saving(saved):
    folder, drawn = saved
    one, other = (tf.saved_model.load(str(folder)).draw for _ in range(2))
    assert all_new([one(), one(), other(), other()])
    assert not set(seeds_of([one()])) & set(drawn)


def occurs(seed, text):
    """Whether any four bytes of a seed stand in a text, in either order of bytes."""
    parts = [seed[place : place + 4] for place in range(0, len(seed), 4)]
    return any(part in text or part[::-1] in text for part in parts)


def test_no_seed_in_what_is_saved(saved):
    folder, drawn = saved
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert files and not any(occurs(seed, text) for seed in drawn for text in files)


def test_no_seed_in_the_graph_before_or_after_optimisation():
    concrete = tf.function(entropy.draw_seed, autograph=False).get_concrete_function()
    drawn = seeds_of([concrete() for _ in range(2)])
    assert all_new([concrete(), concrete()])
    text = concrete.graph.as_graph_def().SerializeToString()
    assert not any(occurs(seed, text) for seed in drawn)


def test_a_seed_in_a_graph_would_be_found():
    seed = entropy.draw_seed().numpy()
    frozen = tf.function(lambda: tf.constant(seed)).get_concrete_function()
    text = frozen.graph.as_graph_def().SerializeToString()
    assert occurs(seed.tobytes(), text)


def test_new_under_the_most_eager_optimiser():
    """An imported graph, optimised as TensorFlow 1 would: twice, with all rewriters."""
    graph_def = two_seeds.get_concrete_function().graph.as_graph_def()
    with tf.Graph().as_default() as graph:
        output = two_seeds.get_concrete_function().outputs[0].name
        (fetched,) = tf.graph_util.import_graph_def(graph_def, return_elements=[output])
        config = tf.compat.v1.ConfigProto()
        rewriter = config.graph_options.rewrite_options
        rewriter.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.TWO
        rewriter.min_graph_nodes = -1
        with tf.compat.v1.Session(graph=graph, config=config) as session:
            assert all_new([session.run(fetched) for _ in range(2)])


def test_xla_refuses_it():
    compiled = tf.function(entropy.draw_seed, jit_compile=True, autograph=False)
    with pytest.raises(tf.errors.OpError):
        compiled()


def mixed(lines):
    return entropy.mix_words(entropy.words_of(lines))


class TestMixing:
    LINES = tuple(str(uuid.UUID(int=one << 70 | 12345)) for one in range(1, 5))

    def test_as_in_python(self):
        words = struct.unpack("<36I", "".join(self.LINES).encode())
        key = [0] * 8
        for place in range(0, 36, 4):
            counter, *nonce = words[place : place + 4]
            key = rfc8439.block(key, nonce, counter)[:8]
        assert mixed(tf.constant(self.LINES)).numpy().tolist() == key

    @pytest.mark.slow
    def test_every_digit_matters(self):
        seeds = {mixed(tf.constant(self.LINES)).numpy().tobytes()}
        for line in range(4):
            for place in (0, 14, 35):
                lines = [bytearray(one.encode()) for one in self.LINES]
                lines[line][place] ^= 1
                found = mixed(tf.constant([bytes(one) for one in lines]))
                seeds.add(found.numpy().tobytes())
        assert len(seeds) == 13


class TestRefusals:
    def test_no_such_source(self, tmp_path):
        draw = tf.function(lambda: entropy.draw_seed(tmp_path / "none"))
        with pytest.raises(RuntimeError, match="cannot be read"):
            draw.get_concrete_function()

    def test_a_file_that_stays_the_same(self, tmp_path):
        (tmp_path / "file").write_text(f"{uuid.uuid4()}\n")
        with pytest.raises(RuntimeError, match="one of them twice"):
            entropy.draw_seed(tmp_path / "file")

    def test_no_random_numbers(self):
        with pytest.raises(RuntimeError, match="no UUIDs"):
            entropy.draw_seed("/proc/uptime")

    def test_where_it_runs(self, tmp_path, monkeypatch):
        """A graph built where there was a source."""
        monkeypatch.setattr(entropy, "check_source", lambda source: None)
        draw = tf.function(lambda: entropy.draw_seed(tmp_path / "file"))
        concrete = draw.get_concrete_function()
        with pytest.raises(tf.errors.NotFoundError):
            concrete()
        (tmp_path / "file").write_text(f"{uuid.uuid4()}\n")
        with pytest.raises(tf.errors.InvalidArgumentError, match="repeats_them"):
            concrete()


def test_two_seeds_of_one_drawing_differ_from_each_other_and_from_its_seed():
    spoken = entropy.draw_words()
    made = entropy.stream(spoken)
    found = [*entropy.two_seeds(made), entropy.mix_words(spoken)]
    assert len({one.numpy().tobytes() for one in found}) == 3
    assert all(one.shape == [entropy.SEED_WORDS] for one in found)
