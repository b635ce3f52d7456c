"""The keys of a session."""

import pytest

from experiments.study import encryption
from selenc_tf.lattice import key_folders, key_store
from selenc_tf.lattice.per_client import PerClientKeys
from tests.experiments.command import parse


@pytest.mark.parametrize(
    "rotation", [pytest.param("run", marks=pytest.mark.slow), "round"]
)
def test_a_session_deletes_its_keys_and_those_of_killed_ones(
    rotation, tmp_path, monkeypatch
):
    monkeypatch.setattr(key_folders.tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "selenc-keys-left"
    left.mkdir()
    for name in ("owner.lock", "study.key"):  # Nobody holds the lock.
        (left / name).touch()
    settings = parse("--cipher=identity_INSECURE", f"--key_rotation={rotation}")
    with encryption.fresh_keys(
        settings.encryption, settings.training, settings.attack, weight=1
    ) as lattices:
        (folder,) = tmp_path.iterdir()
        made = [lattices.study, lattices.training(), lattices.training()]
        made.append(lattices.scores())
        assert all(key_store.find(one.keys.path) == one.keys for one in made)
        assert len({one.keys.key_id for one in made}) == 4
        assert all(one.keys.path.startswith(f"{folder}/") for one in made)
        assert made[1].keys.rotates == (rotation == "round")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_without_a_shared_key_only_single_messages_have_one(tmp_path, monkeypatch):
    monkeypatch.setattr(key_folders.tempfile, "tempdir", str(tmp_path))
    settings = parse("--cipher=device_rlwe", "--keys=per_client", "--codec_bits=16")
    with encryption.fresh_keys(
        settings.encryption, settings.training, settings.attack, weight=3
    ) as lattices:
        for one in (lattices.training(), lattices.scores(), lattices.cohorts):
            assert one.keys == PerClientKeys() and one.engine.own_cipher
        assert key_store.find(lattices.study.keys.path) == lattices.study.keys
        assert lattices.study.engine.keyed_cipher.name == "device_rlwe"
        names = {path.name for path in tmp_path.rglob("*.key")}
        assert names == {"study.key"}
        assert lattices.training().bound == 3 * settings.encryption.codec_bound
    assert not list(tmp_path.iterdir())
