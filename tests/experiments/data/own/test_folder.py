import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiments.data import own
from experiments.data.dataset import DataNotFoundError

RNG = np.random.default_rng(0)


def picture(path, shape=(4, 5, 3), mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return pixels


@pytest.fixture
def folder(tmp_path):
    """Two classes, written in another order than that of their names."""
    root = tmp_path / "animals"
    pixels = [picture(root / "dog" / "1.png"), picture(root / "cat" / "9.png")]
    picture(root / "cat" / "a.bmp")
    return root, pixels


def test_classes_are_the_folders_by_name(folder):
    root, (dog, cat) = folder
    found = own.load(str(root))
    assert (found.name, found.class_names) == ("animals", ("cat", "dog"))
    assert found.labels.tolist() == [0, 0, 1] and found.labels.dtype == np.int32
    np.testing.assert_array_equal(found.inputs[0], cat.astype(np.float32) / 255)
    np.testing.assert_array_equal(found.inputs[2], dog.astype(np.float32) / 255)
    assert found.value_range.is_unit and found.clients is None
    assert "3 examples of 2 classes" in found.note and "divided by 255" in found.note


def test_pixels_come_into_the_range_of_the_model(folder):
    root, (dog, _) = folder
    found = own.load(str(root), value_range=(-1.0, 1.0))
    np.testing.assert_allclose(found.inputs[2], dog / 127.5 - 1, atol=1e-6)
    as_bytes = own.load(str(root), value_range=(0.0, 255.0))
    np.testing.assert_array_equal(as_bytes.inputs[2], dog)
    assert float(as_bytes.value_range.high) == 255


def test_a_folder_a_client(tmp_path):
    for client, label in (("zoe", "b"), ("zoe", "a"), ("abe", "b")):
        picture(tmp_path / client / label / "1.png", (3, 3))
    found = own.load(str(tmp_path))
    assert found.inputs.shape == (3, 3, 3, 1)
    assert found.client_names == ("abe", "zoe") and found.class_names == ("a", "b")
    assert found.clients.tolist() == [0, 1, 1] and found.labels.tolist() == [1, 0, 1]


def test_the_folder_one_stands_in(folder, monkeypatch):
    monkeypatch.chdir(folder[0])
    assert own.load(".").name == own.load("../animals").name == "animals"


def test_palettes_are_colours_and_links_are_followed(tmp_path):
    picture(tmp_path / "d" / "b" / "1.png", mode="P")
    picture(tmp_path / "e" / "2.png")
    (tmp_path / "d" / "a").mkdir()
    (tmp_path / "d" / "a" / "2.png").symlink_to(tmp_path / "e" / "2.png")
    (tmp_path / "d" / "a" / ".DS_Store").write_bytes(b"x")
    assert own.load(str(tmp_path / "d")).inputs.shape == (2, 4, 5, 3)


def text(root):
    (root / "cat" / "notes.txt").write_text("secret")


def at_the_top(root):
    (root / "labels.csv").write_text("secret")


def cut_off(root):
    path = root / "cat" / "z.png"
    picture(path, (40, 50, 3))
    Image.open(path).resize((5, 4)).save(path)
    path.write_bytes(path.read_bytes()[:60])


def broken_link(root):
    (root / "cat" / "z.png").symlink_to(root / "nowhere")


def circle(root):
    (root / "cat" / "z").symlink_to(root)


def pipe(root):
    os.mkfifo(root / "cat" / "z.png")


def empty_class(root):
    (root / "emu").mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (text, r"'animals/cat/notes.txt' must be a picture"),
        (at_the_top, r"'animals/labels.csv' must be a folder"),
        (cut_off, r"'animals/cat/z.png' must be a picture"),
        (broken_link, r"'animals/cat/z.png' must be a picture, but is no file"),
        (circle, r"'animals/cat/9.png' must be a folder"),
        (pipe, r"'animals/cat/z.png' must be a picture, but is no file"),
        (empty_class, r"'animals/emu' is empty"),
        (
            lambda r: picture(r / "dog" / "z.png", (5, 4, 3)),
            "4x5 .*'animals/dog/z.png'",
        ),
        (lambda r: picture(r / "dog" / "z.png", (4, 5)), r"z.png' has .* 1 channels"),
        (
            lambda r: picture(r / "cat" / "0.png", (4, 5, 2)),
            r"0.png' has .* 2 channels",
        ),
        (
            lambda r: picture(r / "cat" / "0.png", (4, 5, 4)),
            r"0.png' has .* 4 channels",
        ),
        (lambda r: picture(r / "cat" / "0.png", mode="1"), "1 in Pillow's words"),
        (lambda r: picture(r / "cat" / "0.jpg", mode="CMYK"), "CMYK in Pillow's words"),
    ],
)
def test_the_first_file_that_differs_is_named(folder, spoil, message):
    root, _ = folder
    spoil(root)
    with pytest.raises((DataNotFoundError, ValueError), match=message) as caught:
        own.load(str(root))
    assert str(caught.value).startswith(f"`--data={root}`: ")
    assert "secret" not in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["png", "jpg", "gif", "bmp", "tif"]),
    st.integers(0, 400),
    st.lists(st.integers(0, 400), max_size=3),
)
def test_a_broken_picture_is_a_sentence(tmp_path_factory, suffix, cut, flips):
    root = tmp_path_factory.mktemp("spoilt")
    picture(root / "a" / "1.png")
    path = root / "b" / f"1.{suffix}"
    picture(path)
    data = bytearray(path.read_bytes()[: cut or None])
    for place in flips:
        data[place % len(data)] ^= 0xFF
    path.write_bytes(data)
    try:
        found = own.load(str(root))
    except ValueError as error:
        assert f"b/1.{suffix}'" in str(error)
    else:
        assert found.inputs.shape == (2, 4, 5, 3)


def test_what_would_be_ignored_is_refused(folder):
    with pytest.raises(
        ValueError, match=r"this is a folder: got `--client_column=who`"
    ):
        own.load(str(folder[0]), client="who")


@pytest.mark.parametrize("source", ["", "nowhere", "nowhere.npz", "nowhere.csv", "\0"])
def test_nothing_there(source):
    with pytest.raises(DataNotFoundError, match=r"Must be a folder .*is not there"):
        own.load(source)


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataNotFoundError, match="is of another kind"):
        own.load(str(tmp_path / "x.parquet"))


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataNotFoundError, match="is empty: pictures stand in"):
        own.load(str(tmp_path))
