import numpy as np
import pytest

from selenc_tf import flatten
from selenc_tf.models.text import gpt2, initial, token_model
from selenc_tf.models.text.sizes import TINY
from tests.selenc_tf.models.text import language
from tests.selenc_tf.models.text.language import EACH, SPECIAL

SPANNED = 1e-5
"""Float32 rounding, where d = 16 and at most 12 tokens span."""


def distance_to_span(matrix, rows):
    """How far the columns of a gradient [inputs, outputs] are from the span of rows."""
    basis, values, _ = np.linalg.svd(rows.T.astype(np.float64), full_matrices=False)
    basis = basis[:, values > 1e-6 * values[0]]
    assert basis.shape[1] < rows.shape[1]
    rest = matrix - basis @ (basis.T @ matrix)
    return np.linalg.norm(rest) / np.linalg.norm(matrix)


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("name", EACH)
@pytest.mark.slow
def test_gradients_of_projections_lie_in_the_span_of_their_inputs(name, depth):
    model = language.model(name)
    weights, batch = model.initial_weights, language.batch()
    vector = token_model.gradient(model, weights, batch, language.labels(model))
    slopes = flatten.unflatten(vector, model.spec)
    block = model.structure.blocks[depth]
    assert len(model.structure.blocks) == 2
    for part, width, projections in (
        ("attention", 16, block.of_inputs),
        ("mixed", 16, (block.output,)),
        ("feedforward", 16, block.of_feedforward_inputs),
        ("middle", 32, (block.feedforward_output,)),
    ):
        inputs = model.inputs(weights, *batch, depth, part).numpy()
        assert inputs.shape == (2, 8, width)
        rows = inputs[batch.padding_mask]
        for one in projections:
            assert model.spec.names[one.kernel] == one.name
            assert model.spec.shapes[one.kernel] == one.shape
            matrix = slopes[one.kernel].numpy().reshape(width, -1)
            assert distance_to_span(matrix, rows) < SPANNED
            # And not in that of other vectors.
            other = np.random.default_rng(0).normal(size=rows.shape)
            assert distance_to_span(matrix, other) > 0.05


@pytest.mark.parametrize("name", EACH)
@pytest.mark.slow
def test_heads_of_attention_outputs_lie_in_the_span_of_values(name):
    model = language.model(name)
    weights, ids = model.initial_weights, np.array([[2, 7, 9]], np.int32)
    kept = 3 if model.structure.blocks[0].query.shape[2] > 3 else 2
    batch = language.tokens.Tokens(
        np.pad(ids[:, :kept], ((0, 0), (0, 8 - kept))),
        np.arange(8)[np.newaxis] < kept,
    )
    labels = language.labels(model)[:1] % model.num_classes
    if model.kind != "classes":
        labels = language.tokens.next_token_labels(batch)
    vector = token_model.gradient(model, weights, batch, labels)
    output = model.structure.blocks[0].output
    matrix = flatten.unflatten(vector, model.spec)[output.kernel].numpy()
    values = model.inputs(weights, *batch, 0, "values").numpy()[0, :kept]
    values = values.reshape(kept, *output.shape[:2])
    for head, rows in enumerate(matrix):
        assert distance_to_span(rows, values[:, head]) < 10 * SPANNED
        # Of Llama neighbours share their values.
        other = values[:, head - len(matrix) // 2]
        assert distance_to_span(rows, other) > 0.01


@pytest.mark.parametrize("name", EACH)
@pytest.mark.slow
def test_rows_of_unused_tokens_of_a_tied_table_lie_in_the_span_of_the_last_inputs(name):
    model = language.model(name)
    if not model.structure.tied:
        pytest.skip("its head is a layer of its own")
    weights, batch = model.initial_weights, language.batch()
    vector = token_model.gradient(model, weights, batch, language.labels(model))
    table = flatten.unflatten(vector, model.spec)[model.structure.token_table].numpy()
    rows = model.inputs(weights, *batch, 0, "last").numpy()[batch.padding_mask]
    unused = np.setdiff1d(np.arange(len(table)), batch.token_ids)
    assert distance_to_span(table[unused].T, rows) < SPANNED
    assert distance_to_span(table.T, rows) > 0.05


@pytest.mark.parametrize("name", EACH)
def test_the_first_inputs_are_those_of_each_token_and_its_position(name):
    model = language.model(name)
    weights, (ids, mask) = model.initial_weights, language.batch()
    whole = model.inputs(weights, ids, mask, 0, "attention").numpy()
    changed = ids.copy()
    changed[:, 2] = 40
    other = model.inputs(weights, changed, mask, 0, "attention").numpy()
    np.testing.assert_allclose(
        np.delete(whole, 2, 1), np.delete(other, 2, 1), atol=1e-6
    )
    assert np.abs(whole[:, 2] - other[:, 2]).min(0).max() > 1e-2


@pytest.mark.parametrize("name", EACH)
def test_causal_blocks_see_the_prefix_alone(name):
    model = language.model(name)
    weights, (ids, mask) = model.initial_weights, language.batch()
    causal = model.structure.blocks[1].causal
    assert causal != name.startswith("bert")
    whole = model.inputs(weights, ids, mask, 1, "attention").numpy()
    prefix = model.inputs(weights, ids[:, :3], mask[:, :3], 1, "attention").numpy()
    assert (np.abs(whole[:, :3] - prefix).max() < 1e-5) == causal


@pytest.mark.parametrize("name", EACH)
def test_both_entries_have_one_block(name):
    model = language.model(name)
    weights, (ids, mask) = model.initial_weights, language.batch()
    embedded = model.embed(weights, ids)
    np.testing.assert_array_equal(
        model.inputs_from(weights, embedded, mask, 1, "attention"),
        model.inputs(weights, ids, mask, 1, "attention"),
    )
    np.testing.assert_array_equal(
        model.inputs_from(weights, embedded, mask, 1, "feedforward"),
        model.inputs(weights, ids, mask, 1, "feedforward"),
    )


def test_places_of_bert():
    model = language.model("bert_tiny_random")
    names, whole = model.spec.names, model.structure
    tables = [names[place] for place in whole.embedding_tables]
    assert tables == [
        "token_embedding/embeddings",
        "position_embedding/embeddings",
        "segment_embedding/embeddings",
    ]
    assert (whole.width, whole.tied, whole.head.name) == (16, False, "logits/kernel")
    assert names[whole.head.bias] == "logits/bias"
    block = whole.blocks[0]
    assert not block.causal and not block.normalise_first and block.gate is None
    assert (block.query.shape, block.query.num_inputs) == ((16, 2, 8), 1)
    assert (block.output.shape, block.output.num_inputs) == ((2, 8, 16), 2)
    assert (block.feedforward.shape, block.feedforward_output.shape) == (
        (16, 32),
        (32, 16),
    )


@pytest.mark.slow
def test_places_of_llama():
    whole = language.model("llama_tiny_random").structure
    block = whole.blocks[1]
    assert (block.query.shape, block.key.shape) == ((16, 4, 4), (16, 2, 4))
    assert block.gate.name == "transformer_layer_1/feedforward_gate_dense/kernel"
    assert (block.query.bias, whole.position_table, whole.head) == (None, None, None)
    assert whole.tied and block.causal and block.normalise_first


def test_an_adapter_alone_is_trained_and_lies_in_the_span():
    source = gpt2.with_head(gpt2.backbone_of(TINY), None, "adapted")
    initial.draw(source.trainable_variables, 0)
    source.backbone.enable_lora(2)
    model = token_model.from_keras(source, 8, "random, seed 0", SPECIAL)
    assert len(model.spec.names) == 2 * 2 * 3
    block = model.structure.blocks[0]
    query = block.query
    assert (query.kernel, model.structure.token_table) == (None, None)
    assert block.key.adapter_down is None
    assert model.spec.names[query.adapter_down].endswith("query/lora_kernel_a")
    assert model.spec.names[query.adapter_up].endswith("query/lora_kernel_b")
    # An adapter starts at zero, and then its first half has no gradient.
    weights = tuple(one + 0.01 for one in model.initial_weights)
    batch = language.batch()
    vector = token_model.gradient(model, weights, batch, language.labels(model))
    slopes = flatten.unflatten(vector, model.spec)
    matrix = slopes[query.adapter_down].numpy().reshape(16, -1)
    rows = model.inputs(weights, *batch, 0, "attention").numpy()[batch.padding_mask]
    assert distance_to_span(matrix, rows) < SPANNED


def test_a_block_that_is_not_there_is_refused():
    model = language.model("bert_tiny_random")
    with pytest.raises(ValueError, match=r"`depth` must be in \[0, 1\]"):
        model.inputs(model.initial_weights, *language.batch(), 2, "attention")
