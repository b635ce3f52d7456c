"""Handing keys out."""

import pathlib
import stat

import pytest
import tensorflow as tf

from selenc_tf.lattice import key_copies, key_files, key_store
from selenc_tf.lattice.identity_cipher import build_identity_cipher_INSECURE

CIPHER = build_identity_cipher_INSECURE(4, 257, 2)


def numbers(path):
    return [int(one.stem) for one in key_files.files_of(pathlib.Path(path))]


def test_a_key_is_copied_for_its_owner_only(tmp_path):
    keys = key_store.create(tmp_path / "holder" / "cohort.key", CIPHER)
    copy, count = key_copies.hand_out(keys.path, tmp_path / "clients" / "one")
    assert count == 1 and copy.key_id == keys.key_id
    path = tmp_path / "clients" / "one" / "cohort.key"
    assert copy.path == str(path)
    assert path.read_bytes() == pathlib.Path(keys.path).read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "clients").stat().st_mode) == 0o700
    assert path.stat().st_ino != pathlib.Path(keys.path).stat().st_ino
    with pytest.raises(FileExistsError, match="never overwritten"):
        key_copies.hand_out(keys.path, tmp_path / "clients" / "one")


def test_of_a_series_comes_what_is_new(tmp_path):
    keys = key_store.create_series(tmp_path / "cohort", CIPHER, 4)
    copy, count = key_copies.hand_out(keys.path, tmp_path / "one")
    assert count == 4 and copy.rotates and copy.key_id == keys.key_id
    assert tf.reduce_all(key_store.read(copy, CIPHER, 3) == CIPHER.keygen())
    # The client forgets, the holder goes on: what is forgotten stays so.
    key_store.forget(copy, 3)
    key_store.create_series(keys.path, CIPHER, 2, first_round=4)
    again, count = key_copies.hand_out(keys.path, tmp_path / "one")
    assert again == copy and count == 2 and numbers(copy.path) == [3, 4, 5]
    assert key_copies.hand_out(keys.path, tmp_path / "one")[1] == 0


def test_what_was_forgotten_stays_forgotten(tmp_path):
    series = key_store.create_series(tmp_path / "holder" / "series", CIPHER, 3)
    copies, count = key_copies.hand_out(series.path, tmp_path / "client")
    assert count == 3
    key_store.forget(copies, before_round=3)
    assert key_copies.hand_out(series.path, tmp_path / "client")[1] == 0
    key_store.create_series(series.path, CIPHER, 2, first_round=3)
    assert key_copies.hand_out(series.path, tmp_path / "client")[1] == 2
    other = key_store.create_series(tmp_path / "other" / "series", CIPHER, 3)
    with pytest.raises(ValueError, match=r"no other series of that name, .* Delete it"):
        key_copies.hand_out(other.path, tmp_path / "client")
    # As it says.
    key_store.delete(copies.path)
    assert key_copies.hand_out(other.path, tmp_path / "client")[1] == 3
    key_store.delete(copies.path)
    assert key_copies.hand_out(series.path, tmp_path / "client")[1] == 0


def test_not_into_another_series(tmp_path):
    keys = key_store.create_series(tmp_path / "cohort", CIPHER, 2)
    other = key_store.create_series(tmp_path / "one" / "cohort", CIPHER, 1)
    with pytest.raises(ValueError, match="no other series") as error:
        key_copies.hand_out(keys.path, tmp_path / "one")
    assert keys.key_id in str(error.value) and other.key_id in str(error.value)
    assert numbers(other.path) == [0]


def test_nothing_that_others_could_read_already(tmp_path):
    keys = key_store.create(tmp_path / "cohort.key", CIPHER)
    pathlib.Path(keys.path).chmod(0o644)
    with pytest.raises(PermissionError, match="chmod"):
        key_copies.hand_out(keys.path, tmp_path / "one")
    assert not (tmp_path / "one").exists()
