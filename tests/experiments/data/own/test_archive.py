import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.data import own

GOOD = {
    "x": np.arange(12, dtype=np.float64).reshape(4, 3),
    "y": np.array([0, 1, 1, 0]),
}


def write(folder, **arrays):
    path = folder / "mine.npz"
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return str(path)


def test_numbers_have_the_range_of_each_column(tmp_path):
    names = np.array(["age", "height", "weight"])
    found = own.load(
        write(tmp_path, **GOOD, names=names, client=np.array([7, 7, 3, 3]))
    )
    assert found.inputs.dtype == np.float32 and found.labels.dtype == np.int32
    np.testing.assert_array_equal(found.inputs, GOOD["x"])
    assert found.value_range.low.tolist() == [0, 1, 2]
    assert found.value_range.high.tolist() == [9, 10, 11]
    assert found.feature_names == ("age", "height", "weight")
    assert found.clients.tolist() == [1, 1, 0, 0] and found.client_names == ("3", "7")
    assert found.note == (
        "4 examples of 2 classes of 2 clients, from mine.npz; the value range is the "
        "least and the most of each column of the data."
    )
    assert not found.inputs.flags.writeable


def test_several_inputs_and_outputs(tmp_path):
    path = write(
        tmp_path,
        x_words=np.array([[5, 1], [2, 3]]),
        x_photo=np.full((2, 4, 4), 255, np.uint8),
        y_0=np.array([0.5, 1.5]),
        y_1=np.array([[1, 0], [0, 1]]),
    )
    found = own.load(path)
    assert list(found.inputs) == ["words", "photo"]
    assert found.inputs["words"].dtype == np.int32
    assert found.inputs["photo"].max() == 1 and found.value_range["photo"].is_unit
    assert found.value_range["words"] is None
    assert isinstance(found.labels, tuple) and found.labels[1].shape == (2, 2)
    assert found.num_classes is None


@pytest.mark.parametrize(
    ("x", "low", "high"),
    [
        (np.linspace(0.2, 0.7, 8).reshape(2, 2, 2), 0, 1),
        (np.linspace(-3, 5, 8).reshape(2, 2, 2), -3, 5),
    ],
)
def test_pictures_of_numbers_have_one_range(tmp_path, x, low, high):
    found = own.load(write(tmp_path, x=x, y=np.array([0, 1])))
    assert (float(found.value_range.low), float(found.value_range.high)) == (low, high)


def test_text_labels_are_classes(tmp_path):
    found = own.load(write(tmp_path, x=GOOD["x"], y=np.array(["b", "a", "c", "b"])))
    assert found.class_names == ("a", "b", "c") and found.labels.tolist() == [
        1,
        0,
        2,
        1,
    ]


def test_named_classes_need_not_all_occur(tmp_path):
    path = write(
        tmp_path,
        x=GOOD["x"],
        y=np.array([0, 2, 2, 0]),
        class_names=np.array(["a", "b", "c"]),
    )
    assert own.load(path).num_classes == 3


def without(name, row=0):
    x = GOOD["x"].copy()
    x[row] = name
    return x


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": None}, "either `x` or several `x_<name>`, got only 'y'"),
        ({"x_a": GOOD["x"]}, "either `x` or several .* got both"),
        ({"z": GOOD["x"]}, "got 'z' too"),
        ({"y": np.array([1, 2, 3, 1])}, "classes from 0 to 2, as there are 3"),
        ({"y": np.array([0, 2, 2, 0])}, "classes from 0 to 1, as there are 2"),
        ({"y": np.array([0, -1, 1, 0])}, "Labels must be classes"),
        ({"y": np.array([0, 10**15, 1, 0])}, "`y` must fit into int32"),
        ({"y": np.array([0, 2**64 - 1, 1, 0], np.uint64)}, "`y` must fit into int32"),
        ({"y": np.array([0, 1, 1])}, "4 in `x`, 3 in `y`"),
        ({"y": np.array([0, np.nan, 1, 1])}, "`y` must hold finite"),
        ({"y": np.array([1j, 0, 1, 1])}, "`y` must be integers, numbers or text"),
        ({"y": np.array(3)}, "`y` must be an array of float32 or int32"),
        ({"x": without(np.nan, 2)}, "3 are not .*example 2, .* column 0"),
        ({"x": without(1e300)}, "finite float32"),
        ({"x": GOOD["x"][:1]}, "`x` must have .* at least 2 examples"),
        ({"x": GOOD["x"][:, :0]}, "`x` must not be empty"),
        ({"x": np.ones((4, 3))}, "column 0 holds one number only"),
        ({"x": np.full((4, 2, 2), 7.0)}, "all holds one number only"),
        ({"x": GOOD["x"].astype(np.uint8)}, "`x` is uint8"),
        ({"x": GOOD["x"] > 3}, "got bool"),
        ({"x": GOOD["x"].astype(str)}, "Text is encoded by you"),
        ({"x": GOOD["x"].astype(object)}, "pickled objects"),
        ({"names": np.array(["a", "b"])}, "Feature names must be one for each column"),
        ({"names": np.array(["a", "a", "b"])}, "no two the same"),
        ({"names": np.array([1, 2, 3])}, "`names` must be text"),
        ({"class_names": np.array(["a"])}, "as there are 1 names"),
        ({"client": np.array([1, 2])}, "2 in `client`"),
        ({"client": np.array([1.5, 2, 3, 4])}, "`client` must be one name"),
        ({"client": np.array(["a", "", "a", "a"])}, "client names must be text"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, changes, message):
    path = write(tmp_path, **{**GOOD, **changes})
    with pytest.raises(ValueError, match=message):
        own.load(path)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((0.0, 5.0), "cover all of `x`"),
        ((5.0, 5.0), "`low` of a value range must be below"),
        ((0.0, float("inf")), "must be finite"),
        ((-3e38, 3e38), "must be finite and cover"),
    ],
)
def test_a_range_that_is_none_is_refused(tmp_path, asked, message):
    with pytest.raises(ValueError, match=message):
        own.load(write(tmp_path, **GOOD), value_range=asked)


def test_a_range_that_is_asked_for_is_taken(tmp_path):
    found = own.load(write(tmp_path, **GOOD), value_range=(-1, 20))
    assert float(found.value_range.high) == 20 and "least" not in found.note


def test_integers_have_no_range(tmp_path):
    path = write(tmp_path, x=GOOD["x"].astype(np.int64), y=GOOD["y"])
    assert own.load(path).value_range is None
    with pytest.raises(ValueError, match="all inputs are integers"):
        own.load(path, value_range=(0, 20))


@pytest.fixture(scope="module")
def whole():
    file = io.BytesIO()
    np.savez_compressed(file, **GOOD)
    return file.getvalue()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 700), flips=st.lists(st.integers(0, 700), max_size=3))
def test_a_broken_file_is_a_sentence(tmp_path_factory, whole, cut, flips):
    path = tmp_path_factory.getbasetemp() / "broken.npz"
    data = bytearray(whole[:cut] if cut < len(whole) else whole)
    for place in flips:
        if place < len(data):
            data[place] ^= 0xFF
    path.write_bytes(data)
    try:
        found = own.load(str(path))
    except ValueError as error:
        assert str(error).startswith("`--data=")
    else:  # What is not looked at was hit.
        np.testing.assert_array_equal(found.inputs, GOOD["x"])


def test_a_pickle_is_not_opened(tmp_path):
    (tmp_path / "evil.npz").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(ValueError, match="pickled objects"):
        own.load(str(tmp_path / "evil.npz"))
