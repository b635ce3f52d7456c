import pytest

from attacks import knowledge
from selenc_tf import flatten


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"batch_size": 2, "labels": (1,)}, "`labels` must name one class .* 2"),
        ({"labels": (3,)}, r"`labels` must be in \[0, 3\)"),
        ({"labels": (-1,)}, r"`labels` must be in \[0, 3\)"),
        ({"client_sizes": (2, 1)}, "`client_sizes` must add up to `batch_size` = 1"),
        ({"client_sizes": (2, -1)}, "`client_sizes` must be positive"),
        ({"client_sizes": ()}, "`client_sizes` must be positive"),
        ({"batch_size": 1.5}, "must be whole numbers"),
        ({"labels": (1.5,)}, "must be whole numbers"),
    ],
)
def test_bad_knowledge_is_refused(tiny, fields, message):
    with pytest.raises(ValueError, match=message):
        knowledge.Knowledge(tiny, **fields)


def test_not_a_picture_model_is_refused(tiny):
    text = tiny._replace(input_shape=(7,), spec=flatten.FlatSpec(("a",), ((1,),)))
    with pytest.raises(ValueError, match="`model` must take pictures"):
        knowledge.Knowledge(text)
