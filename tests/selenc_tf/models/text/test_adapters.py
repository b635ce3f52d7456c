"""Adapters are all that is trained, and the model starts as it was."""

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.models.text import adapters, catalog, token_model
from tests.selenc_tf.models.text import language

NAMES = [
    "bert_tiny_random",
    pytest.param("gpt2_tiny_random", marks=pytest.mark.slow),
    pytest.param("llama_tiny_random", marks=pytest.mark.slow),
]


def adapted(name, rank=2, seed=3):
    made = catalog.token_model(name, 8, 3, 0)
    return adapters.with_adapters(made, rank, seed)


@pytest.mark.parametrize("name", NAMES)
def test_adapters_alone_are_weights(name):
    model = adapted(name)
    # Two halves of queries and values in two blocks: no bias, no table and no head.
    assert len(model.spec.names) == 2 * 2 * 2
    assert all("/lora_kernel_" in one for one in model.spec.names)
    structure = model.structure
    tables = structure.embedding_tables
    assert tables == () and (structure.head is None or structure.head.kernel is None)
    for block in structure.blocks:
        for one in (block.query, block.value):
            assert model.spec.shapes[one.adapter_down][-1] == 2
            assert model.spec.shapes[one.adapter_up][0] == 2
        assert block.key.adapter_down is None
    assert "adapters of rank 2 of queries and values" in model.weights_from
    assert model.weights_from.startswith("random, seed 0; ")


@pytest.mark.parametrize("name", NAMES)
def test_a_model_starts_as_it_was(name):
    plain = catalog.token_model(name, 8, 3, 0)
    tokens = language.batch()
    expected = plain.apply(plain.initial_weights, tokens)
    model = adapted(name)
    np.testing.assert_allclose(
        model.apply(model.initial_weights, tokens), expected, atol=1e-6
    )


@pytest.mark.slow
def test_adapters_depend_on_the_seed_alone():
    first, again, other = (adapted(NAMES[0], seed=seed) for seed in (3, 3, 4))
    for one, same, different in zip(
        first.initial_weights, again.initial_weights, other.initial_weights, strict=True
    ):
        np.testing.assert_array_equal(one, same)
        # The second halves are zeros.
        assert np.any(one != different) == bool(tf.reduce_any(one != 0))
        assert float(tf.reduce_max(tf.abs(one))) <= 1 / 4


def test_only_second_halves_have_gradients_at_the_start():
    model = adapted(NAMES[0])
    vector = token_model.gradient(
        model, model.initial_weights, language.batch(), language.labels(model)
    )
    parts = np.split(vector.numpy(), np.cumsum(model.spec.sizes)[:-1])
    for name, part in zip(model.spec.names, parts, strict=True):
        assert part.any() == name.endswith("lora_kernel_b")


@pytest.mark.parametrize("rank", [0, 17])
def test_a_rank_out_of_range_is_refused(rank):
    with pytest.raises(ValueError, match=r"`rank` must be in \[1, 16\]"):
        adapted(NAMES[0], rank)
