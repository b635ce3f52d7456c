"""No key leaves the key store: everything that a run leaves behind is searched.

A run is executed with every key recorded as it is made. Then its files, its output, its
logs, the computations that it executed, the values that crossed to the server or came
back, checkpoints of them, and the texts of errors are searched for any part of a key.
"""

import base64
import logging
import pathlib
import traceback

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff
from google.protobuf import text_encoding

from experiments.study import recorder as recorder_lib
from federated import key_flow, runtime
from selenc_tf.lattice import block_tails, key_store
from tests.experiments import command

WINDOW = 16
WORD = 8


class KeySearch:
    """Finds any 16 bytes in a row of any key, also as texts show bytes."""

    def __init__(self, keys):
        self._views = [
            (view, WINDOW * len(view) // len(key))
            for key in keys
            for view in _views(key)
        ]
        self._places = {}
        for number, (view, _) in enumerate(self._views):
            for at in range(0, len(view) - WORD + 1, WORD):
                self._places.setdefault(view[at : at + WORD], []).append((number, at))
        # Which words are worth a closer look.
        self._known = np.zeros(1 << 24, bool)
        self._known[_slots(np.frombuffer(b"".join(self._places), np.uint64))] = True

    def finds(self, content):
        # A stretch of 16 bytes covers a whole word, wherever it begins.
        for shift in range(min(WORD, len(content))):
            count = (len(content) - shift) // WORD
            words = np.frombuffer(content, np.uint64, count, shift)
            for index in np.flatnonzero(self._known[_slots(words)]).tolist():
                at = shift + WORD * index
                places = self._places.get(content[at : at + WORD], ())
                if any(self._extends(content, at, *place) for place in places):
                    return True
        return False

    def _extends(self, content, at, number, place):
        view, window = self._views[number]
        start, end = 0, WORD
        while min(at, place) + start > 0 and (
            content[at + start - 1] == view[place + start - 1]
        ):
            start -= 1
        while (
            at + end < len(content)
            and place + end < len(view)
            and content[at + end] == view[place + end]
        ):
            end += 1
        return end - start >= window


def _slots(words):
    """Spreads words over 2^24 slots."""
    return words * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)


def _views(key):
    """A key as it is, and as texts show it."""
    in_base64 = [base64.b64encode(key[skipped:]) for skipped in range(3)]
    return [
        key,
        key.hex().encode(),
        key.hex().upper().encode(),
        *in_base64,
        *(text.replace(b"+", b"-").replace(b"/", b"_") for text in in_base64),
        repr(key).encode(),
        text_encoding.CEscape(key, as_utf8=False).encode(),
        str(list(key)).encode(),
    ]


class Watched:
    """What happened in a run."""

    def __init__(self):
        self.keys = []
        self.computations = {}
        self.values = []
        self.crossings = []
        self.log = []


@pytest.fixture
def watched(monkeypatch):
    """Records keys, computations, their results, what crosses, and log records."""
    seen = Watched()

    def recording(cipher):
        def keygen():
            key = cipher.keygen()
            # What stands in front is public: every block of a message carries it.
            seen.keys.append(key.numpy()[block_tails.KEY_FRONT_BYTES :])
            return key

        return cipher._replace(keygen=keygen)

    create, create_series = key_store.create, key_store.create_series
    monkeypatch.setattr(
        key_store, "create", lambda path, cipher: create(path, recording(cipher))
    )
    monkeypatch.setattr(
        key_store,
        "create_series",
        lambda folder, cipher, *numbers: create_series(
            folder, recording(cipher), *numbers
        ),
    )

    invoke = runtime.InProcessContext.invoke

    def recorded_invoke(self, computation, argument):
        seen.computations[id(computation)] = computation
        result = invoke(self, computation, argument)
        seen.values.append(result)
        return result

    monkeypatch.setattr(runtime.InProcessContext, "invoke", recorded_invoke)

    observe = recorder_lib.Recorder.__call__

    def recorded_observe(self, crossing):
        seen.crossings.append(crossing.value)
        observe(self, crossing)

    monkeypatch.setattr(recorder_lib.Recorder, "__call__", recorded_observe)

    class Handler(logging.Handler):
        def emit(self, record):
            seen.log.append(f"{record.getMessage()} {record.__dict__!r}")

    handler = Handler(logging.DEBUG)
    loggers = [logging.getLogger(name) for name in (None, "absl", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield seen
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


def execute(logdir, *arguments):
    quick = ("--encryption_ratios=1", "--attack_iterations=5")
    return command.execute(logdir, *quick, *arguments)


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def octets(value):
    """The bytes of all arrays and strings in a structure."""
    arrays = [np.asarray(leaf) for leaf in tf.nest.flatten(value)]
    return b"\x00".join(
        b"\x00".join(array.ravel().tolist())
        if array.dtype == object
        else array.tobytes()
        for array in arrays
    )


def checkpoints(state, folder):
    """Saves a state of a process in the two usual ways."""
    arrays = [np.asarray(leaf) for leaf in tf.nest.flatten(state)]
    folder.mkdir()
    tf.train.Checkpoint(
        state=[tf.Variable(array) for array in arrays], step=tf.Variable(0)
    ).write(str(folder / "checkpoint"))
    np.savez(folder / "state.npz", *arrays)
    return files_below(folder)


# Keys of the encrypted training and of the study.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "num_keys"),
    [
        pytest.param(
            ("--key_rotation=run", "--rounds=1"), 1 + 1, marks=pytest.mark.long
        ),
        (("--key_rotation=round", "--rounds=2", "--num_images=0"), 2 + 1),
    ],
    ids=["run", "round"],
)
def test_no_key_outside_of_the_key_store(arguments, num_keys, tmp_path, watched, capfd):
    status, errors = execute(tmp_path / "logs", *arguments)
    assert status == 0
    assert len(set(watched.keys)) == len(watched.keys) == num_keys
    assert all(len(key) > 1000 for key in watched.keys)
    search = KeySearch(watched.keys)

    written = {path.name for path in files_below(tmp_path / "logs")}
    assert {"config.json", "results.jsonl", "summary.csv"} <= written
    assert any("tfevents" in name for name in written)
    for path in files_below(tmp_path / "logs"):
        assert not search.finds(path.read_bytes()), path

    output = "".join(capfd.readouterr())
    assert "mnist-5k" in output
    logging.getLogger("tensorflow").warning("logs are watched")
    assert watched.log
    for text in (output, errors, *watched.log):
        assert not search.finds(text.encode())

    graphs = [
        tff.framework.serialize_computation(computation).SerializeToString()
        for computation in watched.computations.values()
    ]
    readers = [graph for graph in graphs if b"selenc-keys-" in graph]
    assert len(readers) >= 2 and all(b"Encrypt64" in graph for graph in readers)
    for graph in graphs:
        assert not search.finds(graph)
    for computation in watched.computations.values():
        assert not any(
            key_flow.contains_bytes(computation, key) for key in watched.keys
        )

    for value in (*watched.values, *watched.crossings):
        assert not search.finds(octets(value))
    uploads = [
        value
        for value in watched.crossings
        if isinstance(value, dict) and "ciphertext" in value
    ]
    assert uploads and b"SELENC" in octets(uploads[0])

    states = [value.state for value in watched.values if hasattr(value, "state")]
    files = [
        path
        for number, state in enumerate(states)
        for path in checkpoints(state, tmp_path / f"checkpoint-{number}")
    ]
    assert sum(path.stat().st_size > 4 * 13_426 for path in files) >= 4
    for path in files:
        assert not search.finds(path.read_bytes()), path


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "damaged",
        pytest.param("other id", marks=pytest.mark.long),
        pytest.param("short key", marks=pytest.mark.long),
    ],
)
def test_no_key_in_an_error(change, tmp_path, watched, monkeypatch, capfd):
    create = key_store.create

    def create_and_spoil(path, cipher):
        if change == "short key":
            # Intact by its checksums, but not what the cipher expects.
            def keygen():
                key = cipher.keygen()
                watched.keys.append(key.numpy())
                return tf.strings.substr(key, 0, 5000)

            return create(path, cipher._replace(keygen=keygen))
        keys = create(path, cipher)
        if change == "other id":
            return key_store.KeySet(keys.path, "0123456789abcdef")
        content = bytearray(pathlib.Path(path).read_bytes())
        content[1000] ^= 1
        pathlib.Path(path).write_bytes(content)
        return keys

    monkeypatch.setattr(key_store, "create", create_and_spoil)
    with pytest.raises(tf.errors.OpError) as caught:
        execute(tmp_path, "--num_images=0")
    search = KeySearch(watched.keys)
    error = caught.value
    shown = [str(error), repr(error), *traceback.format_exception(error)]
    shown += [str(argument) for argument in error.args]
    shown += [*capfd.readouterr(), *watched.log]
    assert not any(search.finds(text.encode()) for text in shown)
    for path in files_below(tmp_path):
        assert not search.finds(path.read_bytes()), path


def test_the_search_finds_what_is_there(tmp_path):
    rng = np.random.default_rng(0)
    keys = [rng.bytes(13_824) for _ in range(3)]
    search = KeySearch(keys)
    noise = rng.bytes(100_000)
    assert not search.finds(noise) and not search.finds(b"")
    assert not search.finds(rng.bytes(13_824).hex().encode())
    for key in keys:
        for start in (0, 1, 5000, 5003, len(key) - 16):
            stretch = key[start : start + 16]
            for at in (0, 3, 50_000, 99_999):
                assert search.finds(noise[:at] + stretch + noise[at:])
            assert not search.finds(noise + stretch[:12])
    part = keys[1][77:177]
    for text in (
        str(part),
        f"b'{part!r}'",
        part.hex(),
        base64.b64encode(part).decode(),
        base64.urlsafe_b64encode(part).decode(),
        text_encoding.CEscape(part, as_utf8=False),
        str(list(part)),
    ):
        assert search.finds(f"An error: {text}".encode()), text

    # In a graph, an event file, a checkpoint and a computation.
    with tf.Graph().as_default() as graph:
        tf.constant(keys[0])
    assert search.finds(graph.as_graph_def().SerializeToString())
    with tf.summary.create_file_writer(str(tmp_path / "tb")).as_default():
        tf.summary.text("note", tf.constant(keys[0]), step=0)
    assert any(search.finds(path.read_bytes()) for path in files_below(tmp_path / "tb"))
    saved = checkpoints([np.frombuffer(keys[2], np.uint8)], tmp_path / "saved")
    assert sum(search.finds(path.read_bytes()) for path in saved) == 2
    leaking = tff.tensorflow.computation(lambda: tf.constant(keys[0]))
    assert key_flow.contains_bytes(leaking, keys[0])
    serialised = tff.framework.serialize_computation(leaking).SerializeToString()
    assert search.finds(serialised)
    assert search.finds(octets({"a": np.zeros(3), "b": np.array([keys[0]], object)}))
