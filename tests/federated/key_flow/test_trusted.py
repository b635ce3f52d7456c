"""What moves a header, and what moves away from it."""

import itertools

import pytest
import tensorflow as tf

from federated.key_flow import op_kinds, trusted
from federated.key_flow.labels import Label

MESSAGE = frozenset({Label.CIPHERTEXT, Label.LOOSE, Label.HEAD})
BLOCKS = frozenset({Label.CIPHERTEXT, Label.LOOSE})
NOT_MADE = frozenset({Label.FORGED, Label.HEAD})
# What a list has at its first places it has there still.
AS_IT_WAS = {("TensorListConcatV2", 0), ("TensorListSetItem", 0)}
MOST = 4


def constant(name, values):
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    return node


def of_one(name):
    node = tf.compat.v1.NodeDef(name=name, op="Pack", input=["x"])
    node.attr["N"].i = 1
    return node


def moved(op, labels, sources=()):
    node = tf.compat.v1.NodeDef(name="moving", op=op)
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["T"].type = tf.string.as_datatype_enum
    node.attr["element_dtype"].type = tf.string.as_datatype_enum
    names = [f"input_{place}" for place in range(len(labels))]
    by_name = {
        name: tf.compat.v1.NodeDef(name=name, op="Placeholder") for name in names
    }
    by_name.update({source.name: source for source in sources})
    node.input.extend(names)
    return trusted.moved(node, labels, by_name)


@pytest.mark.parametrize("op", sorted(op_kinds.MOVES))
def test_a_header_that_is_moved_is_nothing_that_the_cipher_made(op):
    """By whichever input it comes, and whatever places the other inputs name."""
    numbers = [(), ([0],), ([1],), ([-1],)]
    for place, values in itertools.product(range(MOST), numbers):
        labels = [BLOCKS] * MOST
        labels[place] = MESSAGE
        sources = [
            constant(f"input_{at}", *values)
            for at in range(MOST)
            if values and at != place
        ]
        found = moved(op, labels, sources)
        chosen = op_kinds.MOVES[op]
        if found is None or MESSAGE not in labels[chosen]:
            continue
        away = values == ([1],) and op == "StridedSlice" and place == 0
        if (op, place) in AS_IT_WAS:
            assert Label.HEAD in found
        elif away:
            # Everything behind the first element.
            assert not found & NOT_MADE
        else:
            assert Label.FORGED in found and Label.UNADDED in found, (place, values)


@pytest.mark.parametrize("index", [0, 1])
def test_a_header_is_put_at_the_beginning_of_a_list_only(index):
    sources = [constant("input_1", [index]), of_one("input_2")]
    forged = BLOCKS | {Label.FORGED, Label.UNADDED}
    found = moved("TensorListSetItem", [BLOCKS, frozenset(), forged], sources)
    assert (Label.HEAD in found) == (index == 0)
    assert (Label.FORGED in found) == (index == 1)
