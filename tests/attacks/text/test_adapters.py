"""Gradients of LoRA adapters alone: all else is frozen, and is not sent."""

import numpy as np
import pytest

from attacks import knowledge
from attacks.text.discrete import dager
from selenc_tf.models.text import gpt2, initial, token_model
from selenc_tf.models.text.tokens import SpecialTokens
from tests.attacks import victims
from tests.attacks.text import clients

RANK = 2
"""Of each head, as Keras adapts kernels of three axes."""


@pytest.fixture(scope="module")
def adapted():
    """A GPT-2 with adapters at the queries and values of its blocks."""
    source = gpt2.with_head(gpt2.backbone_of(clients.WIDE), None, "adapted")
    initial.draw(source.trainable_variables, 0)
    source.backbone.enable_lora(RANK)
    special = SpecialTokens(start=2, end=2, pad=0)
    return token_model.from_keras(source, 12, "random, seed 0", special)


def view_of(model, weights, examples, classes):
    vector = clients.TOKENS.message(model, weights, examples, classes, None).numpy()
    return clients.view_of(model, vector)._replace(weights=weights)


def after_training(model):
    """Weights whose second halves are no longer the zeros that they start as."""
    generator = np.random.default_rng(0)
    return tuple(
        np.asarray(one) + generator.normal(0, 0.02, one.shape).astype(np.float32)
        for one in model.initial_weights
    )


@pytest.mark.slow
def test_a_sentence_is_read_from_adapters(adapted):
    examples, classes = clients.batch(adapted, 1)
    # Queries and values: as many columns as there are tokens.
    columns = 2 * clients.WIDE.heads * RANK
    assert np.count_nonzero(examples[0] > 0) <= columns
    view = view_of(adapted, after_training(adapted), examples, classes)
    attack = dager.build_dager(programs=victims.PROGRAMS)
    found = attack(view, clients.known(adapted), (1, 2))
    assert found.converged
    np.testing.assert_array_equal(found.examples, examples)


def test_adapters_at_their_start_show_no_inputs(adapted):
    examples, classes = clients.batch(adapted, 1)
    weights = tuple(np.asarray(one) for one in adapted.initial_weights)
    view = view_of(adapted, weights, examples, classes)
    attack = dager.build_dager(programs=victims.PROGRAMS)
    with pytest.raises(knowledge.DoesNotApply, match="first block"):
        attack(view, clients.known(adapted), (1, 2))
