import numpy as np
import pytest

from experiments.data import own
from experiments.data.own_data import OwnData
from selenc_tf.models.value_range import UNIT, value_range
from tests.experiments.data.own import made_up

HERE = "tests.experiments.data.own.made_up"


def load(function, **flags):
    return own.load(f"{HERE}:{function}", **flags)


def test_arrays(monkeypatch):
    found = load("pair")
    assert (found.name, found.source) == ("pair", f"{HERE}:pair")
    np.testing.assert_array_equal(found.inputs, made_up.X)
    assert found.clients is None and found.num_classes == 2
    # The user's own array stays as it was.
    assert made_up.X.flags.writeable


def test_clients():
    found = load("triple")
    assert found.client_names == ("a", "b") and found.clients.tolist() == [1, 0, 1, 1]


def test_nested_inputs_and_labels():
    found = load("several", value_range=(-1, 2))
    assert found.inputs["b"][1].shape == (4, 3) and found.num_classes is None
    assert float(found.value_range["b"][0].low) == -1
    assert found.labels["one"].dtype == np.int32


def test_the_clients_of_tff():
    found = load("by_client", label="target")
    assert found.client_names == ("abe", "zoe")
    assert list(zip(found.clients.tolist(), found.labels.tolist(), strict=True)) == [
        (1, 0),
        (0, 0),
        (0, 1),
    ]
    assert found.inputs.shape == (3, 2, 2)
    assert len(load("pairs_by_client")) == 8
    with pytest.raises(ValueError, match=r"`--label_column`=label, got .* target"):
        load("by_client")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:f", "search path has no module 'nowhere'"),
        ("tests.nowhere:f", r"search path has no module 'tests\.nowhere'"),
        (f"{HERE}:nowhere", "is there, but has no such function"),
        (f"{HERE}:NOT_A_FUNCTION", "without arguments, but is of `int`"),
        (f"{HERE}:nothing", "must return .* got `NoneType`"),
        (f"{HERE}:needs_more", "raised TypeError"),
        (f"{HERE}:fails", "raised RuntimeError"),
        (f"{HERE}:listed", "could mean either"),
    ],
)
def test_errors_are_a_sentence(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        own.load(name)
    assert str(caught.value).startswith(f"`--data={name}`: ")
    assert "secret" not in str(caught.value)


def test_a_module_that_needs_another(tmp_path, monkeypatch):
    (tmp_path / "needs_it.py").write_text("import not_there_at_all")
    (tmp_path / "breaks.py").write_text("None.x")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="'needs_it' needs no module"):
        own.load("needs_it:f")
    with pytest.raises(ValueError, match=r"cannot be imported .AttributeError"):
        own.load("breaks:f")


def test_own_data_says_everything_itself():
    found = load("named")
    assert found.name == "mine" and found.value_range.is_unit
    for flags in ({"value_range": (0, 1)}, {"label": "y"}, {"client": "c"}):
        with pytest.raises(ValueError, match="Leave"):
            load("named", **flags)


GOOD = {
    "inputs": np.zeros((2, 3), np.float32),
    "labels": np.array([0, 1], np.int32),
    "value_range": UNIT,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": np.zeros((2, 3))}, "`x` must be an array of float32 or int32"),
        ({"labels": {}}, "2 examples, got 2 in `x`"),
        ({"inputs": [[0.0, 1.0]]}, "`x_0_0` must be an array .* got float"),
        ({"inputs": (), "value_range": ()}, "2 examples, got 2 in `y`"),
        ({"labels": np.array([0, 1])}, "`y` must be an array of float32 or int32"),
        ({"labels": np.array([0, 7], np.int32)}, "Labels must be classes from 0 to 1"),
        ({"value_range": value_range(1, 2)}, "cover all of `x`"),
        ({"value_range": (0, 1)}, "intervals for x_0, x_1"),
        ({"value_range": 3}, "must be made by `value_range`"),
        ({"value_range": None}, "intervals for none"),
        ({"value_range": value_range([0, 0], [1, 1])}, r"examples \[3\], got \[2\]"),
        ({"clients": np.array([0, 1], np.int32)}, "both numbers and names"),
        (
            {"clients": np.array([0, 2], np.int32), "client_names": ("a", "b")},
            "from 0 to 1",
        ),
        (
            {"clients": np.array([0, 0], np.int32), "client_names": ("a", "b")},
            "an example of each",
        ),
        ({"class_names": ("a", "\x1b[2J")}, "text that can be printed"),
        ({"class_names": ("a", "\udcff")}, "text that can be printed"),
    ],
)
def test_own_data_is_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        OwnData("mine", **{**GOOD, **changes})
