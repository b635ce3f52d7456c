"""The key store: who may read a file, when it appears, and what is said about it."""

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import re
import stat
import struct

import pytest
import tensorflow as tf

from selenc_tf.lattice import block_tails, key_store
from tests.selenc_tf.lattice import ciphers

CIPHER = ciphers.shell(64, 16)
OTHER = ciphers.shell(63, 16)


def mode(path):
    return stat.S_IMODE(pathlib.Path(path).stat().st_mode)


def shown(key, text):
    """Whether a text shows a part of a key, as it is, escaped or in hexadecimal."""
    parts = [key[at : at + 8] for at in range(0, len(key) - 8, 4)]
    return any(
        view in text
        for part in parts
        for view in (repr(part)[2:-1], part.hex(), part.decode("latin1"))
    )


@pytest.fixture
def keys(tmp_path):
    return key_store.create(tmp_path / "store" / "key", CIPHER)


@pytest.fixture
def path(keys):
    return pathlib.Path(keys.path)


@pytest.fixture
def series(tmp_path):
    return key_store.create_series(tmp_path / "series", CIPHER, 4)


# One key


def test_the_key_comes_back(keys):
    key = key_store.read(keys, CIPHER)
    assert key.dtype == tf.string and key.shape == ()
    values = tf.random.uniform([2, CIPHER.num_slots], -9, 9, tf.int64)
    blocks = CIPHER.encrypt(key_store.read(keys, CIPHER), values)
    assert tf.reduce_all(CIPHER.decrypt(key, blocks) == values)


def test_it_is_the_generated_key(tmp_path):
    generated = []

    def keygen():
        generated.append(CIPHER.keygen())
        return generated[-1]

    keys = key_store.create(tmp_path / "key", CIPHER._replace(keygen=keygen))
    assert len(generated) == 1
    assert key_store.read(keys, CIPHER) == generated[0]


def test_one_key_serves_all_rounds(keys):
    assert not keys.rotates
    assert key_store.read(keys, CIPHER, 7) == key_store.read(keys, CIPHER)
    assert keys.number(tf.constant(7)).numpy() == 0


def test_a_key_file_is_five_records(keys, path):
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    assert records[:3] == [CIPHER.digest.encode(), keys.key_id.encode(), b"0"]
    assert records[3] == key_store.check_of(records[4])
    assert records[4] == key_store.read(keys, CIPHER)
    assert len(records) == 5


def test_the_check_is_a_one_way_function_of_the_key(keys, series):
    # HMAC-SHA256 (RFC 2104) once more, of a key of one block.
    text, key = b"selenc-tf: check of a secret key, version 1", bytes(range(64))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + text).digest()
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).digest()
    assert key_store.check_of(key) == outer[:8]
    for named in (keys, series):
        secret = key_store.read(named, CIPHER, 0).numpy()
        check = key_store.read_check(named, tf.constant(0, tf.int64))
        assert check.dtype == tf.int64 and check.shape == ()
        assert struct.pack("<q", int(check)) == key_store.check_of(secret)
    checks = {int(key_store.read_check(series, number)) for number in range(4)}
    assert len(checks) == 4


def test_the_check_is_read_without_the_key(keys, path):
    """What follows the public records may be missing or damaged: nobody looks at it."""
    content = path.read_bytes()
    check = int(key_store.read_check(keys))
    damaged = bytearray(content)
    damaged[-100] ^= 1
    path.write_bytes(damaged)
    assert int(key_store.read_check(keys)) == check
    path.write_bytes(content[:60])
    with pytest.raises((tf.errors.DataLossError, tf.errors.InvalidArgumentError)):
        key_store.read_check(keys)


def test_ids_are_random(tmp_path):
    ids = [
        key_store.create(
            tmp_path / str(i), CIPHER._replace(keygen=lambda: tf.constant(b"key"))
        ).key_id
        for i in range(50)
    ]
    assert len(set(ids)) == 50
    assert all(re.fullmatch("[0-9a-f]{16}", key_id) for key_id in ids)
    # Each of 64 bits takes both values: by chance it does not once in 2^43.
    numbers = [int(key_id, 16) for key_id in ids]
    assert all(0 < sum(n >> bit & 1 for n in numbers) < 50 for bit in range(64))


def test_only_the_owner_may_read_it(tmp_path):
    before = os.umask(0)
    try:
        keys = key_store.create(tmp_path / "store" / "key", CIPHER)
        series = key_store.create_series(tmp_path / "series", CIPHER, 2)
    finally:
        os.umask(before)
    assert mode(keys.path) == 0o600
    assert mode(series.path) == 0o700
    files = list(pathlib.Path(series.path).iterdir())
    assert [mode(file) for file in files] == [0o600, 0o600]


def test_complete_or_not_at_all(tmp_path):
    """While the key is made there is no key file, and nobody else can read along."""
    folder = tmp_path / "store"

    def keygen():
        names = [file.name for file in folder.iterdir()]
        assert names and "key" not in names
        assert all(mode(folder / name) == 0o600 for name in names)
        return CIPHER.keygen()

    before = os.umask(0)
    try:
        keys = key_store.create(folder / "key", CIPHER._replace(keygen=keygen))
    finally:
        os.umask(before)
    assert [file.name for file in folder.iterdir()] == ["key"]
    assert key_store.find(keys.path) == keys


def test_no_partial_file(tmp_path):
    def broken():
        raise RuntimeError("no entropy")

    with pytest.raises(RuntimeError, match="no entropy"):
        key_store.create(tmp_path / "key", CIPHER._replace(keygen=broken))
    assert list(tmp_path.iterdir()) == []


def test_never_overwritten(keys, path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="never overwritten") as error:
        key_store.create(path, CIPHER)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", [b"k\xff.key", b"a\0b"])
def test_names_that_no_graph_can_have_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="must be a name in UTF-8"):
        key_store.create(os.fsencode(tmp_path) + b"/" + name, CIPHER)
    assert not list(tmp_path.iterdir())


def test_a_relative_name_is_refused(keys):
    with pytest.raises(ValueError, match="must be absolute"):
        key_store.read(dataclasses.replace(keys, path="file:" + keys.path), CIPHER)


def test_another_spelling_of_a_number_is_no_key_of_a_series(tmp_path):
    series = key_store.create_series(tmp_path / "series", CIPHER, 2)
    other = pathlib.Path(series.path) / "1.key"
    other.write_bytes(b"something else")
    assert key_store.find(series.path) == series
    key = pathlib.Path(series.path) / "000001.key"
    key.chmod(0o644)
    with pytest.raises(PermissionError):
        key_store.find(series.path)


def test_not_through_a_link_either(tmp_path):
    target = tmp_path / "elsewhere"
    (tmp_path / "key").symlink_to(target)
    with pytest.raises(FileExistsError, match="never overwritten"):
        key_store.create(tmp_path / "key", CIPHER)
    assert not target.exists()


def test_of_many_at_a_time_one_wins(tmp_path):
    def attempt(_):
        try:
            return key_store.create(tmp_path / "key", CIPHER)
        except FileExistsError:
            return None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = [keys for keys in pool.map(attempt, range(8)) if keys]
    assert len(made) == 1
    assert key_store.find(tmp_path / "key") == made[0]
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


# Reading what is not right


def test_missing(keys):
    gone = dataclasses.replace(keys, path=keys.path + "-nothing-here")
    with pytest.raises(tf.errors.NotFoundError, match="nothing-here"):
        key_store.read(gone, CIPHER)


def test_empty(keys, path):
    path.write_bytes(b"")
    with pytest.raises(tf.errors.InvalidArgumentError):
        key_store.read(keys, CIPHER)


def test_damaged(keys, path):
    content = path.read_bytes()
    secret = key_store.read(keys, CIPHER).numpy()
    # Lengths and checksums, the digest, the id, the key's body and the last byte.
    for at in (0, 9, 13, 29, 33, 45, 60, 500, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(tf.errors.DataLossError) as error:
            key_store.read(keys, CIPHER)
        assert not shown(secret, str(error.value))


@pytest.mark.parametrize("kept", [20, 40, 80, 100, 1000, -1])
def test_cut_short(keys, path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises((tf.errors.DataLossError, tf.errors.InvalidArgumentError)):
        key_store.read(keys, CIPHER)


def test_two_files_in_one(keys, path):
    secret = key_store.read(keys, CIPHER).numpy()
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        key_store.read(keys, CIPHER)
    assert not shown(secret, str(error.value))


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("what", ["parameters", "key id", "number"])
def test_another_key_than_expected(keys, path, tmp_path, what, graph):
    cipher, wanted, round_number = CIPHER, keys, 0
    if what == "parameters":
        cipher = OTHER
        expected, found = OTHER.digest, CIPHER.digest
    elif what == "key id":
        wanted = key_store.create(tmp_path / "other", CIPHER)
        expected, found = wanted.key_id, keys.key_id
        path.replace(wanted.path)
    else:
        (tmp_path / "000012.key").touch(mode=0o600)
        (tmp_path / "000012.key").write_bytes(path.read_bytes())
        wanted = key_store.KeySet(str(tmp_path), keys.key_id, rotates=True)
        round_number, expected, found = 12, "12", "0"
    secret = pathlib.Path(
        tmp_path / "000012.key" if what == "number" else wanted.path
    ).read_bytes()[-3000:]

    def read():
        return key_store.read(wanted, cipher, tf.constant(round_number))

    run = tf.function(read, autograph=False) if graph else read
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        run()
    text = str(error.value)
    assert f"has other {what} than" in text
    assert re.search(rf"\b{expected}\b.*\b{found}\b", text, re.DOTALL)
    assert not shown(secret, text)


def test_a_file_of_something_else_is_not_printed(keys, path):
    secret = os.urandom(5000)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(5):
            writer.write(secret)
    with pytest.raises(tf.errors.InvalidArgumentError, match="other parameters") as e:
        key_store.read(keys, CIPHER)
    assert not shown(secret[16:], str(e.value))


# A series of keys


def test_a_key_for_each_round(series):
    assert series.rotates
    files = sorted(file.name for file in pathlib.Path(series.path).iterdir())
    assert files == [f"{number:06d}.key" for number in range(4)]
    read = [key_store.read(series, CIPHER, number).numpy() for number in range(4)]
    assert len(set(read)) == 4
    for number, file in enumerate(files):
        records = tf.data.TFRecordDataset(os.path.join(series.path, file))
        found = [record.numpy() for record in records]
        assert found[:3] == [
            CIPHER.digest.encode(),
            series.key_id.encode(),
            str(number).encode(),
        ]
        assert found[4] == read[number]


def test_the_round_chooses_inside_a_graph(series):
    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def read(number):
        return key_store.read(series, CIPHER, number)

    expected = [key_store.read(series, CIPHER, number).numpy() for number in range(4)]
    for number in (2, 0, 3, 1, 2):
        assert read(tf.constant(number, tf.int64)) == expected[number]
    assert read.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("graph", [False, True])
def test_a_round_without_a_key(series, graph):
    def read(number):
        return key_store.read(series, CIPHER, number)

    run = tf.function(read, autograph=False) if graph else read
    with pytest.raises(tf.errors.NotFoundError, match=r"000004\.key"):
        run(tf.constant(4, tf.int64))


def test_rounds_beyond_six_digits(tmp_path):
    number = 12_345_678
    series = key_store.create_series(tmp_path / "series", CIPHER, 1, number)
    assert (tmp_path / "series" / "12345678.key").exists()
    assert key_store.read(series, CIPHER, number).dtype == tf.string
    assert key_store.forget(series, number) == 0
    assert key_store.forget(series, number + 1) == 1


def test_a_series_is_continued(series):
    before = [key_store.read(series, CIPHER, number) for number in range(4)]
    assert key_store.create_series(series.path, CIPHER, 3, first_round=4) == series
    after = [key_store.read(series, CIPHER, number).numpy() for number in range(7)]
    assert after[:4] == before and len(set(after)) == 7


def test_an_existing_round_is_not_replaced(series):
    before = [key_store.read(series, CIPHER, number) for number in range(4)]
    for first, rounds in ((0, 1), (3, 2), (2, 9)):
        with pytest.raises(FileExistsError, match="never overwritten"):
            key_store.create_series(series.path, CIPHER, rounds, first)
    assert before == [key_store.read(series, CIPHER, number) for number in range(4)]


def test_a_series_has_one_parameter_set(series):
    with pytest.raises(ValueError, match="parameters") as error:
        key_store.create_series(series.path, OTHER, 1, first_round=4)
    assert OTHER.digest in str(error.value) and CIPHER.digest in str(error.value)
    assert len(list(pathlib.Path(series.path).iterdir())) == 4


@pytest.mark.parametrize(("rounds", "first"), [(0, 0), (-1, 0), (1, -1)])
def test_rounds_must_be_counted_from_zero(tmp_path, rounds, first):
    with pytest.raises(ValueError, match="round"):
        key_store.create_series(tmp_path / "series", CIPHER, rounds, first)
    assert not (tmp_path / "series").exists()


def test_a_file_of_another_round(series):
    folder = pathlib.Path(series.path)
    (folder / "000002.key").replace(folder / "000001.key")
    with pytest.raises(tf.errors.InvalidArgumentError, match="other number"):
        key_store.read(series, CIPHER, 1)


def test_old_keys_are_forgotten(series):
    folder = pathlib.Path(series.path)
    (folder / "notes.txt").touch()
    kept = key_store.read(series, CIPHER, 2)
    assert key_store.forget(series, 0) == 0
    assert key_store.forget(series, 2) == 2
    assert key_store.forget(series, 2) == 0
    assert sorted(file.name for file in folder.iterdir()) == [
        "000002.key",
        "000003.key",
        "notes.txt",
    ]
    assert key_store.read(series, CIPHER, 2) == kept
    with pytest.raises(tf.errors.NotFoundError):
        key_store.read(series, CIPHER, 1)
    assert key_store.find(series.path) == series


def test_a_key_for_all_rounds_is_not_forgotten(keys, path):
    with pytest.raises(ValueError, match="for all rounds"):
        key_store.forget(keys, 100)
    assert path.exists()


# Finding a key's public name


def test_found_by_its_path(keys, series):
    assert key_store.find(keys.path) == keys
    assert key_store.find(pathlib.Path(keys.path)) == keys
    assert key_store.find(series.path) == series


@pytest.mark.parametrize("made", [None, "folder"])
def test_nothing_to_find(tmp_path, made):
    target = tmp_path / "nothing"
    if made:
        target.mkdir()
    with pytest.raises(FileNotFoundError, match=r"there is no key at .*nothing"):
        key_store.find(target)


@pytest.mark.parametrize("damage", ["bytes", "empty", "text", "records"])
def test_nothing_that_is_a_key(keys, path, damage):
    if damage == "bytes":
        content = bytearray(path.read_bytes())
        content[40] ^= 1
        path.write_bytes(content)
    elif damage == "records":
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(b"x")
            writer.write(b"no id")
    else:
        path.write_bytes(b"" if damage == "empty" else b"something else" * 10)
    with pytest.raises(ValueError, match="damaged or something else") as error:
        key_store.find(path)
    assert str(path) in str(error.value)


def test_names_hold_no_key(keys, series):
    for one in (keys, series):
        secret = key_store.read(one, CIPHER).numpy()
        assert not shown(secret, repr(one))


# What stands in a graph


@pytest.mark.parametrize("rotates", [False, True])
def test_the_graph_holds_the_path_and_not_the_key(keys, series, rotates):
    named = series if rotates else keys

    @tf.function(autograph=False)
    def encrypt(values, number):
        return CIPHER.encrypt(key_store.read(named, CIPHER, number), values)

    concrete = encrypt.get_concrete_function(
        tf.TensorSpec([1, CIPHER.num_slots], tf.int64), tf.TensorSpec([], tf.int64)
    )
    # Before any run, and after: nothing is folded into a constant.
    for _ in range(2):
        text = concrete.graph.as_graph_def(add_shapes=True).SerializeToString()
        assert named.path.encode() in text
        for number in range(4 if rotates else 1):
            key = key_store.read(named, CIPHER, number).numpy()
            # What stands in front of it is public: the parameters, which the graph holds.
            front = block_tails.KEY_FRONT_BYTES
            parts = [key[at : at + 16] for at in range(front, len(key) - 16, 8)]
            assert len(parts) > 1000
            assert not any(part in text for part in parts)
        values = tf.zeros([1, CIPHER.num_slots], tf.int64)
        concrete(values, tf.constant(0, tf.int64))
    # The search does find what is there.
    with tf.Graph().as_default() as graph:
        tf.constant(key)
    leaking = graph.as_graph_def().SerializeToString()
    assert all(part in leaking for part in parts)


def test_read_anew_in_every_run(keys, path):
    @tf.function(autograph=False)
    def read():
        return key_store.read(keys, CIPHER)

    first = read()
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(tf.errors.NotFoundError):
        read()
    path.write_bytes(content)
    assert read() == first
