import io
import tarfile
import zipfile

import numpy as np
import pytest

from experiments.data import dataset as dataset_lib
from experiments.data.text import archives, catalog, own_lines, sentences, vader
from experiments.data.text.sentences import Sentences


def written(tmp_path, text, name="mine.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_lines_with_classes(tmp_path):
    text = (
        "\ufeffA good film.\tgood\r\nA bad one.\tbad\r\n\r\n\tgood\nA good film.\tgood"
    )
    made = own_lines.load(written(tmp_path, text))
    assert made.texts == ("A good film.", "A bad one.", "A good film.")
    np.testing.assert_array_equal(made.labels, [1, 0, 1])
    assert (made.name, made.num_classes) == ("mine", 2)
    assert made.class_names == ("bad", "good")
    assert made.note == (
        "3 sentences from mine.txt. 2 empty lines were left out. 1 of them repeat another "
        "word for word. 2 classes."
    )
    np.testing.assert_array_equal(made.groups, [0, 1, 0])


def test_lines_without_classes(tmp_path):
    made = own_lines.load(written(tmp_path, "One.\nTwo\u2028and more.\n"))
    assert made.texts == ("One.", "Two\u2028and more.")
    assert (made.labels, made.num_classes, made.class_names) == (None, 0, ())


def test_numbers_are_classes_in_their_order(tmp_path):
    made = own_lines.load(written(tmp_path, "a\t10\nb\t9\nc\t-1\n"))
    assert made.class_names == ("-1", "9", "10")
    np.testing.assert_array_equal(made.labels, [2, 1, 0])


def test_a_number_is_one_class_however_it_is_written(tmp_path):
    made = own_lines.load(written(tmp_path, "a\t01\nb\t1\nc\t0\nd\t00\n"))
    assert made.class_names == ("0", "1")
    np.testing.assert_array_equal(made.labels, [1, 1, 0, 0])


def test_what_may_be_a_heading_is_said(tmp_path):
    made = own_lines.load(written(tmp_path, "text\tclass\na\t1\nb\t1\nc\t0\n"))
    assert "3 classes. That of line 1 has no other sentence" in made.note
    made = own_lines.load(written(tmp_path, "a\t1\nb\t1\nc\t0\n"))
    assert "2 classes." in made.note and "heading" not in made.note


def test_one_class_is_a_task_of_two_and_says_so(tmp_path):
    made = own_lines.load(written(tmp_path, "a\t1\nb\t1\n"))
    assert made.num_classes == 2
    np.testing.assert_array_equal(made.labels, [0, 0])
    assert "All have one class" in made.note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "One.\t1\nSecret.\nTwo.\t0\n",
            "1 of 3 sentences have none, the first in line 2",
        ),
        ("One.\t1\nSecret.\t\n", "the first in line 2"),
        ("One.\n\nSecret\tor\tnot.\n", "line 3 has 2 tabs"),
        ("\n  \n", "none in 2 lines"),
        ("", "none in 0 lines"),
        (b"One.\nSecret \xe9.\n", "line 2 is not: it has a byte 0xe9"),
    ],
)
def test_lines_that_are_not_as_they_must_be(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        own_lines.load(written(tmp_path, text))
    assert "Secret" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(dataset_lib.DataNotFoundError, match="one sentence a line"):
        own_lines.load(tmp_path / "none.txt")


def three():
    return Sentences(
        "three", ("a", "b", "c"), np.array([0, 1, 1], np.int32), 2, ("no", "yes"),
        source="here", licence="none", citation="", note="All.",
    )  # fmt: skip


def test_a_part_knows_its_rows():
    part = sentences.take(sentences.take(three(), [2, 1], "Two."), [1])
    assert part.texts == ("b",)
    np.testing.assert_array_equal(part.labels, [1])
    np.testing.assert_array_equal(part.rows, [1])
    assert part.note == "All. Two."
    with pytest.raises(IndexError, match=r"in \[0, 2\]"):
        sentences.take(three(), [3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": ("a", " ", "c")}, "none of them empty"),
        ({"texts": ()}, "at least one sentence"),
        ({"labels": np.array([0, 1, 2], np.int32)}, "labels in"),
        ({"labels": np.array([0, 1], np.int32)}, "one entry for each sentence"),
        ({"labels": np.array([0, 1, 1])}, "must be int32"),
        ({"labels": None}, "without `labels`"),
        ({"num_classes": 1, "labels": np.zeros(3, np.int32)}, "at least 2"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    import dataclasses

    with pytest.raises(ValueError, match=message):
        dataclasses.replace(three(), **change)


def test_cola(tmp_path):
    folder = tmp_path / "CoLA"
    folder.mkdir()
    written(
        folder, "gj04\t1\t\tOur friends came.\ngj04\t0\t*\tCame friends.\n", "train.tsv"
    )
    made = catalog.load("cola", tmp_path)
    assert made.texts == ("Our friends came.", "Came friends.")
    np.testing.assert_array_equal(made.labels, [1, 0])
    assert made.class_names == ("unacceptable", "acceptable")
    written(folder, "Our friends came.\t1\n", "train.tsv")
    with pytest.raises(ValueError, match="must have 4 columns"):
        catalog.load("cola", tmp_path)


def test_sst2(tmp_path):
    written(tmp_path, "sentence\tlabel\na fine film \t1\nno \t0\n", "train.tsv")
    made = catalog.load("sst2", str(tmp_path))
    assert made.texts == ("a fine film", "no")
    np.testing.assert_array_equal(made.labels, [1, 0])
    with pytest.raises(ValueError, match="must have 4 columns"):
        catalog.load("cola", tmp_path)
    written(tmp_path, "sentence\tlabel\na fine film \t7\n", "train.tsv")
    with pytest.raises(ValueError, match="must be 0 and 1"):
        catalog.load("sst2", tmp_path)
    written(tmp_path, "text\tclass\na fine film \t1\n", "train.tsv")
    with pytest.raises(ValueError, match="must begin with the columns"):
        catalog.load("sst2", tmp_path)


def test_rotten_tomatoes(tmp_path):
    written(tmp_path, b"dull .\n", "rt-polarity.neg")
    written(tmp_path, "a touching clich\xe9 .\n".encode("latin-1"), "rt-polarity.pos")
    made = catalog.load("rotten_tomatoes", tmp_path)
    assert made.texts == ("dull .", "a touching clich\xe9 .")
    np.testing.assert_array_equal(made.labels, [0, 1])


def test_originals_of_one_class_say_so(tmp_path):
    written(tmp_path, "a fine film\n", "rt-polarity.pos")
    written(tmp_path, "", "rt-polarity.neg")
    assert "All have one class" in catalog.load("rotten_tomatoes", tmp_path).note


@pytest.mark.parametrize("name", ["cola", "sst2", "rotten_tomatoes"])
def test_originals_are_read_from_a_folder(tmp_path, name):
    for folder in (None, tmp_path):
        with pytest.raises(dataset_lib.DataNotFoundError, match="pass --data_dir"):
            catalog.load(name, folder)


def test_a_package_takes_no_folder(tmp_path):
    with pytest.raises(ValueError, match="must not be given for 'vader_movies'"):
        catalog.load("vader_movies", tmp_path)


def rated(lines):
    """A source distribution with these ratings."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as inside:
        member = tarfile.TarInfo(vader._FILE)
        member.size = len(lines)
        inside.addfile(member, io.BytesIO(lines))
    with zipfile.ZipFile(outer, "w") as whole:
        whole.writestr(vader._INNER, inner.getvalue())
    return outer.getvalue()


def test_ratings_near_zero_have_no_class(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lines = "\ufeff1\t0.5\tgood\r\n2\t-0.49\tneither\r\n3\t-3.2\tvery bad\r\n"
    content = rated(lines.encode())
    monkeypatch.setattr(vader, "ARCHIVE", known(content))
    made = vader.load_movies(lambda archive, target: put(archive, target, content))
    assert made.texts == ("good", "very bad")
    np.testing.assert_array_equal(made.labels, [1, 0])
    assert made.note.startswith("2 of 3 sentences of film reviews in one 1,")


def known(content):
    import hashlib

    digest = hashlib.sha256(content).hexdigest()
    return archives.Archive("one", "1", "one-1.zip", digest, 0.1)


def put(archive, target, content):
    (target / archive.file).write_bytes(content)


def test_an_archive_is_fetched_once_and_opened(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as whole:
        whole.writestr("inside/deep/a.txt", "A")
        whole.writestr("inside/b.txt", "B")
    content, calls = buffer.getvalue(), []

    def fetch(archive, target):
        calls.append(archive)
        put(archive, target, content)

    for _ in range(2):
        folder = archives.opened(known(content), ("inside/deep/a.txt",), fetch)
        assert [one.name for one in folder.iterdir()] == ["a.txt"]
        assert (folder / "a.txt").read_text() == "A"
    assert len(calls) == 1
    # No traces of unfinished work beside the archive and its folder.
    names = sorted(one.name for one in archives.folder().iterdir())
    assert names == ["one-1.zip", "one-1.zip.opened"]


def test_another_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="must have the sha256"):
        archives.fetched(
            known(b"right"), lambda archive, target: put(archive, target, b"wrong")
        )
    assert list(archives.folder().iterdir()) == []


def test_without_an_index_it_says_what_to_do(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "empty").as_uri())
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(dataset_lib.DataNotFoundError) as caught:
        archives.fetched(known(b"right"))
    assert "one 1 could not be fetched: No matching distribution" in str(caught.value)
    assert f"put one-1.zip (sha256 {known(b'right').sha256}) into" in str(caught.value)
    assert "Fetching one 1 (0.1 MB)" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("given", "index"),
    [
        ({"UV_INDEX_URL": "u"}, "u"),
        ({"UV_DEFAULT_INDEX": "d", "UV_INDEX_URL": "u"}, "d"),
        ({"UV_DEFAULT_INDEX": "d", "PIP_INDEX_URL": "p"}, "p"),
        ({}, None),
    ],
)
def test_the_index_of_uv_is_that_of_pip(given, index):
    assert archives.environment(given).get("PIP_INDEX_URL") == index


@pytest.mark.slow
def test_the_sentences_of_vader():
    made = catalog.load("vader_movies")
    assert len(made) == 10072
    np.testing.assert_array_equal(np.bincount(made.labels), [5076, 4996])
    assert made.texts[2] == "Effective but too tepid biopic"
