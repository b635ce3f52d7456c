"""Small language models, sentences of a client, and the server's view of them."""

import functools
import re

import numpy as np

from attacks import knowledge
from attacks import target as target_lib
from attacks.text import sentences
from attacks.text.modality import TOKENS
from federated import views
from selenc_tf.models.text import bert, catalog, gpt2
from selenc_tf.models.text.sizes import Sizes
from selenc_tf.models.text.tokens import SpecialTokens

LENGTH = 8
NAMES = ("bert_tiny_random", "gpt2_tiny_random")
WIDE = Sizes(vocabulary=300, layers=3, heads=4, width=64, inner=128, positions=16)


@functools.cache
def tiny(name):
    return catalog.token_model(name, LENGTH, 3, seed=0)


@functools.cache
def wide(name):
    """Wide enough for batches, and deep enough for two whole blocks of an encoder."""
    if name == "bert":
        return bert.of_sizes(WIDE, 12, 2, 0, SpecialTokens(2, 3, 0, 1))
    classes = 2 if name == "gpt2_classifier" else None
    special = SpecialTokens(start=2, end=2, pad=0)
    return gpt2.of_sizes(WIDE, 12, 0, special, num_classes=classes)


@functools.cache
def attentive(name):
    """The same with attention that is not spread evenly, as a trained model's."""
    model = wide(name)
    kernels = {
        one.kernel for block in model.structure.blocks for one in block.of_inputs[:2]
    }
    weights = tuple(
        one * 8 if place in kernels else one
        for place, one in enumerate(model.initial_weights)
    )
    return model._replace(initial_weights=weights)


def batch(model, size, seed=0):
    """Sentences of different lengths and their classes."""
    generator = np.random.default_rng(seed)
    rows = [
        [
            model.special.start,
            *generator.integers(4, model.vocabulary_size, int(count)),
            model.special.end,
        ]
        for count in generator.integers(3, model.length - 1, size)
    ]
    classes = generator.integers(0, 2, size)
    if model.kind != "classes":
        classes = np.zeros([size, 0], np.int64)
    return sentences.of_rows(rows, model.length), classes


@functools.cache
def gradient_of(model_name, size, seed=0, make=tiny):
    model = make(model_name)
    return gradient(model, *batch(model, size, seed))


def gradient(model, examples, classes):
    weights = model.initial_weights
    return TOKENS.message(model, weights, examples, classes, None).numpy()


def view_of(model, vector, mask=None):
    mask = np.zeros(vector.shape, bool) if mask is None else mask
    weights = tuple(np.asarray(one) for one in model.initial_weights)
    message = views.ClientMessage(vector[~mask], b"", 1.0)
    return views.ServerView(weights, mask, (message,), None)


def target_of(model, vector, known, mask=None, mode="mask_aware"):
    return target_lib.build_target(view_of(model, vector, mask), known, 0, mode)


def known(model, size=1, **more):
    return knowledge.Knowledge(model, size, modality=TOKENS, **more)


def all_but(model, pattern):
    """A mask of all tensors in whose names a pattern is not found."""
    shown = [bool(re.search(pattern, name)) for name in model.spec.names]
    return ~np.repeat(shown, model.spec.sizes)


def random_mask(size, share):
    return np.random.default_rng(5).random(size) < share


def largest(vector, share):
    mask = np.zeros(vector.shape, bool)
    order = np.argsort(-np.abs(vector), kind="stable")
    mask[order[: int(share * len(vector))]] = True
    return mask
