"""What units and parts are on KerasHub's Transformers."""

import math

import numpy as np
import pytest

from selenc_tf import flatten
from selenc_tf.masks import parts, units
from selenc_tf.masks.whole_units import heads
from tests.selenc_tf.models.text import language


def projections_of(model):
    """All kernels of blocks, each with its place in the layout."""
    for block in model.structure.blocks:
        yield from (*block.of_inputs, block.output)
        yield from (*block.of_feedforward_inputs, block.feedforward_output)


def unit(of, shape, number):
    """The flat indices of one unit, in ascending order."""
    seen = np.arange(math.prod(shape)).reshape(of.before, of.number, of.after)
    return seen[:, number].ravel().tolist()


@pytest.mark.parametrize("name", language.EACH)
def test_units_are_inputs_outputs_and_heads(name):
    model = language.model(name)
    for one in projections_of(model):
        shape = model.spec.shapes[one.kernel]
        path = model.spec.names[one.kernel]
        inputs = math.prod(shape[: one.num_inputs])
        flat = np.arange(math.prod(shape)).reshape(inputs, -1)
        rows, columns = units.rows(path, shape), units.columns(path, shape)
        assert (rows.number, columns.number) == flat.shape
        for place in (0, 1, inputs - 1):
            assert unit(rows, shape, place) == flat[place].tolist()
        for place in (0, 1, flat.shape[1] - 1):
            assert unit(columns, shape, place) == flat[:, place].tolist()
        if len(shape) == 3:
            size = units.head_size(path, shape)
            found = units.heads(size)(path, shape)
            of_heads = flat.reshape(shape)
            axis = 0 if one.num_inputs == 2 else 1
            assert found.number == shape[axis]
            for head in range(shape[axis]):
                expected = np.take(of_heads, head, axis).ravel().tolist()
                assert unit(found, shape, head) == expected


@pytest.mark.parametrize("name", language.EACH)
def test_parts_are_those_of_the_structure(name):
    model = language.model(name)
    structure, spec = model.structure, model.spec
    assert parts.embeddings(spec) == structure.embedding_tables
    reading = [one.kernel for one in projections_of(model)]
    assert parts.projections(spec) == tuple(sorted(reading))
    if structure.tied:
        with pytest.raises(ValueError, match=r"its output layer too, hide the `embed"):
            parts.classifier_head(spec)
    else:
        head = structure.head
        assert parts.classifier_head(spec) == (head.kernel, head.bias)
    of_biases = [one.bias for one in projections_of(model) if one.bias is not None]
    if of_biases:
        assert set(of_biases) <= set(parts.biases(spec))
    if structure.pooler:
        pooler = structure.pooler
        assert parts.pooler(spec) == (pooler.kernel, pooler.bias)
    else:
        with pytest.raises(ValueError, match="pooled_dense/kernel") as refused:
            parts.pooler(spec)
        # Each kind once, not each block's.
        assert str(refused.value).count("query/kernel") == 1
        assert "tensors are of these kinds" in str(refused.value)
    scales = parts.normalisation(spec)
    assert all(len(spec.shapes[place]) == 1 for place in scales)
    rest = set(range(len(spec.names))) - set(scales) - set(parts.biases(spec))
    known = {
        *structure.embedding_tables,
        *(one.kernel for one in projections_of(model)),
    }
    if structure.head:
        known.add(structure.head.kernel)
    assert {spec.names[place] for place in rest - known} <= {"pooled_dense/kernel"}


def test_heads_of_another_width_are_refused():
    model = language.model("bert_tiny_random")
    with pytest.raises(ValueError, match="width of the model's heads, 8, got 4"):
        heads(0.1, 4).num_hidden(model.spec)
    assert heads(0.1, 8).num_hidden(model.spec) == round(0.1 * model.spec.size)


def test_projections_of_adapters():
    names = (
        "a/query/lora_kernel_a",
        "a/query/lora_kernel_b",
        "a/attention_output/bias",
        "query_like/kernel",
    )
    spec = flatten.FlatSpec(names, ((4, 2, 1), (1, 2), (4,), (4, 4)))
    assert parts.projections(spec) == (0, 1)
    with pytest.raises(ValueError, match="query/kernel or the like"):
        parts.projections(flatten.FlatSpec(("dense/kernel",), ((2, 2),)))
