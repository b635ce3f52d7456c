import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.data import own
from experiments.data.dataset import DataNotFoundError
from tests import documents

GOOD = "age,height,label,site\n40,1.5,no,b\n50,1.75,yes,a\n60,1.25,no,b\n"


def write(folder, text, encoding="utf-8"):
    path = folder / "mine.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_columns_labels_and_clients(tmp_path):
    found = own.load(write(tmp_path, GOOD), client="site")
    assert found.name == "mine" and found.feature_names == ("age", "height")
    assert found.inputs.tolist() == [[40, 1.5], [50, 1.75], [60, 1.25]]
    assert found.class_names == ("no", "yes") and found.labels.tolist() == [0, 1, 0]
    assert found.client_names == ("a", "b") and found.clients.tolist() == [1, 0, 1]
    assert found.value_range.low.tolist() == [40, 1.25]
    assert found.value_range.high.tolist() == [60, 1.75]
    assert "of each column of the data" in found.note


def test_the_table_of_the_document(tmp_path):
    text = (documents.ROOT / "docs/data.md").read_text()
    (table,) = (b for b in documents.blocks(text, "") if b.startswith("age,height"))
    found = own.load(write(tmp_path, table), label="outcome", client="hospital")
    assert found.feature_names == ("age", "height")
    assert found.class_names == ("healthy", "ill") and len(found) == 3
    assert found.client_names == ("north", "south")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\n\n"),
        GOOD.rstrip("\n"),
        GOOD.replace(",", " , "),
        GOOD.replace("no", '"no"'),
    ],
)
def test_ways_to_write_the_same_table(tmp_path, text):
    found = own.load(write(tmp_path, text), client="site")
    assert found.inputs.tolist() == [[40, 1.5], [50, 1.75], [60, 1.25]]
    assert found.class_names == ("no", "yes") and found.client_names == ("a", "b")


@pytest.mark.parametrize(
    ("labels", "dtype", "found", "names"),
    [
        (["0", "1", "1"], np.int32, [0, 1, 1], None),
        (["10.5", "-2", "1e3"], np.float32, [10.5, -2, 1000], None),
        (["red", "blue", "red"], np.int32, [1, 0, 1], ("blue", "red")),
    ],
)
def test_kinds_of_labels(tmp_path, labels, dtype, found, names):
    rows = "\n".join(f"{place},{label}" for place, label in enumerate(labels))
    loaded = own.load(write(tmp_path, f"a,target\n{rows}\n"), label="target")
    assert loaded.labels.dtype == dtype and loaded.labels.tolist() == found
    assert loaded.class_names == names


def test_clients_that_are_numbers_are_in_their_order(tmp_path):
    text = "a,label,client\n1,0,10\n2,1,9\n3,1,10\n"
    found = own.load(write(tmp_path, text), client="client")
    assert found.client_names == ("9", "10") and found.feature_names == ("a",)


def test_clients_with_zeros_before_them_are_others(tmp_path):
    text = "a,label,client\n1,0,07\n2,1,7\n3,1,07\n"
    assert own.load(write(tmp_path, text), client="client").client_names == ("07", "7")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a line of names and rows"),
        ("a,label\n", "must have a line of names and rows"),
        ("a,label\n1,0\n", "at least 2 examples"),
        ("1,2\n3,4\n5,6\n", "The first line must name the columns"),
        ("a,a,label\n1,2,0\n3,4,1\n", "stands there twice"),
        ("a,,label\n1,2,0\n3,4,1\n", "a name is empty"),
        ("a;label\n1;0\n2;1\n", "`--label_column` must name a column, one of: a;label"),
        ("label\n0\n1\n", "a column of numbers beside the label"),
        (GOOD + "70,1.5,no\n", "must have 4 cells, .* line 5 has 3"),
        (GOOD + "70,1.5,no,a,b\n", "must have 4 cells, .* line 5 has 5"),
        (GOOD + "70,,no,a\n", "column 'height', line 5"),
        (GOOD + "nan,1.5,no,a\n", "column 'age', line 5"),
        (GOOD + "inf,1.5,no,a\n", "column 'age', line 5"),
        (GOOD + "1_0,1.5,no,a\n", "column 'age', line 5"),
        (GOOD + "1e300,1.5,no,a\n", "example 3, .* column 'age'"),
        (GOOD + "70,1.5,,a\n", "'label' must say something .* line 5"),
        (GOOD + "70,1.5,3,a\n", "labels of one kind, .* line 2"),
        (GOOD + "70,1.5,no,\n", "'site' must say something .* line 5"),
        ("a,b,label,site\n7,1,0,p\n7,2,1,q\n", "column 'a' holds one number only"),
        (GOOD + '70,1.5,"no,a\n', r"after line 4 \(Error\)"),
        (GOOD + "70,1.5," + "z" * 200_000 + ",a\n", r"after line 4 \(Error\)"),
        ("a,label,site\n1,1,p\n2,2,p\n", "Labels must be classes from 0 to 1"),
        ("a,label,site\n1," + "9" * 30 + ",p\n2,0,p\n", "too many digits"),
        ("a,label,site\n1," + "9" * 9000 + ",p\n2,0,p\n", "too many digits"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        own.load(write(tmp_path, text), client="site" if "site" in text else "")
    assert "1.75" not in str(caught.value) and len(str(caught.value)) < 500


def test_text_columns_are_named(tmp_path):
    text = "a,colour,shape,label\n1,red,x,0\n2,blue,y,1\n"
    with pytest.raises(ValueError, match="'colour', 'shape'") as caught:
        own.load(write(tmp_path, text))
    assert "red" not in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"label": "y"},
            "`--label_column` must name a column, one of: age, height, label",
        ),
        ({"label": ""}, "`--label_column` must name a column"),
        ({"client": "who"}, "`--client_column` must name a column"),
        ({"client": "label"}, "must differ"),
    ],
)
def test_flags_that_name_no_column(tmp_path, flags, message):
    with pytest.raises(ValueError, match=message):
        own.load(write(tmp_path, GOOD), **flags)


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a table in UTF-8"):
        own.load(write(tmp_path, GOOD, "utf-16"))


CELLS = st.text(st.sampled_from('01.-eé",\n\r \x00;nax'), max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=4), st.booleans())
def test_any_text_is_data_or_a_sentence(tmp_path_factory, rows, header):
    text = "a,b,label\n" * header + "\n".join(",".join(row) for row in rows)
    path = write(tmp_path_factory.getbasetemp(), text)
    try:
        found = own.load(path)
    except (ValueError, DataNotFoundError) as error:
        assert str(error).startswith("`--data=")
    else:
        assert np.all(np.isfinite(found.inputs)) and len(found) >= 2
