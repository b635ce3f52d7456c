import stat

import pytest
import tensorflow as tf

from selenc_tf.lattice import key_store, parameters, shell_cipher

PARAMETERS = parameters.choose_parameters(max_summands=2, max_abs_value=1000)
CIPHER = shell_cipher.build_shell_cipher(PARAMETERS)


@pytest.fixture
def path(tmp_path):
    return key_store.create(tmp_path / "store" / "key", CIPHER)


def test_the_key_comes_back(path):
    key = key_store.read(path, CIPHER)
    assert key.dtype == tf.string and key.shape == ()
    values = tf.constant([1, -2, 3], tf.int64)
    opened = CIPHER.decrypt(key, CIPHER.encrypt(key_store.read(path, CIPHER), values))
    assert opened[:3].numpy().tolist() == [1, -2, 3]


def test_it_is_the_generated_key(tmp_path):
    generated = []

    def keygen():
        generated.append(CIPHER.keygen())
        return generated[-1]

    path = key_store.create(tmp_path / "key", CIPHER._replace(keygen=keygen))
    assert key_store.read(path, CIPHER) == generated[0]


def test_only_the_owner_may_read_it(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_else_is_left_behind(path):
    assert list(path.parent.iterdir()) == [path]


def test_never_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="never overwritten"):
        key_store.create(path, CIPHER)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_no_partial_file(tmp_path):
    def broken():
        raise RuntimeError("no entropy")

    with pytest.raises(RuntimeError, match="no entropy"):
        key_store.create(tmp_path / "key", CIPHER._replace(keygen=broken))
    assert list(tmp_path.iterdir()) == []


def test_missing(tmp_path):
    with pytest.raises(tf.errors.NotFoundError, match="nothing-here"):
        key_store.read(tmp_path / "nothing-here", CIPHER)


def test_empty(tmp_path):
    path = tmp_path / "key"
    path.touch()
    with pytest.raises(tf.errors.InvalidArgumentError):
        key_store.read(path, CIPHER)


def test_damaged(path):
    content = path.read_bytes()
    # Lengths and checksums, the digest, the key's body and the last byte.
    for at in (0, 9, 13, 29, 33, 45, 60, 500, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(tf.errors.DataLossError):
            key_store.read(path, CIPHER)


@pytest.mark.parametrize("kept", [20, 40, 1000])
def test_cut_short(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises((tf.errors.DataLossError, tf.errors.InvalidArgumentError)):
        key_store.read(path, CIPHER)


def test_key_of_other_parameters(path):
    other = shell_cipher.build_shell_cipher(
        parameters.choose_parameters(max_summands=3, max_abs_value=1000)
    )
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        key_store.read(path, other)
    message = str(error.value)
    assert "other lattice parameters" in message
    assert other.digest in message and CIPHER.digest in message
    assert str(CIPHER.digest.encode() + b"\x00") not in message
    secret = path.read_bytes()
    assert not any(
        repr(secret[at : at + 8])[2:-1] in message for at in range(50, 2000, 8)
    )


def test_the_graph_holds_the_path_and_not_the_key(path):
    @tf.function
    def encrypt(values):
        return CIPHER.encrypt(key_store.read(path, CIPHER), values)

    concrete = encrypt.get_concrete_function(tf.TensorSpec([3], tf.int64))
    text = concrete.graph.as_graph_def(add_shapes=True).SerializeToString()
    assert str(path).encode() in text
    key = key_store.read(path, CIPHER).numpy()
    parts = [key[at : at + 16] for at in range(64, len(key) - 16, 16)]
    assert len(parts) > 300
    assert not any(part in text for part in parts)
    # The search does find what is there.
    with tf.Graph().as_default() as graph:
        tf.constant(key)
    leaking = graph.as_graph_def().SerializeToString()
    assert all(part in leaking for part in parts)


def test_read_anew_in_every_run(path):
    @tf.function
    def read():
        return key_store.read(path, CIPHER)

    first = read()
    path.unlink()
    key_store.create(path, CIPHER)
    assert read() != first
