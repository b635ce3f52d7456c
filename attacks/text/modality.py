"""Sentences of tokens: what attacks of all modalities ask of them."""

import numpy as np
import tensorflow as tf
from scipy import optimize

from attacks.modality import Labels, Modality, PublicExamples
from attacks.programs import Programs
from attacks.refusal import DoesNotApply
from attacks.text import sentences
from selenc_tf.models.local_steps import LocalTraining
from selenc_tf.models.text import token_model
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Vector, Weights


def _check(
    model: TokenModel,
    batch_size: int,
    labels: Labels | None,
    public: PublicExamples | None,
) -> None:
    del batch_size
    if not isinstance(model, TokenModel):
        raise ValueError(
            "`model` must be a `TokenModel` where examples are sentences, got "
            f"{type(model).__name__}."
        )
    if labels is not None:
        _check_labels("labels", labels, model)
    if public is not None:
        shape = public.examples.shape
        if shape[1:] != (model.length,) or not shape[0]:
            raise ValueError(
                f"`public_examples.examples` must be [a, {model.length}] with a >= 1, as "
                f"{model.name} has {model.length} positions, got {list(shape)}."
            )
        inside = (public.examples >= sentences.NO_TOKEN) & (
            public.examples < model.vocabulary_size
        )
        if not np.all(inside):
            raise ValueError(
                "`public_examples.examples` must be tokens in [0, "
                f"{model.vocabulary_size}), or {sentences.NO_TOKEN} behind a sentence's "
                "end, but some are not."
            )
        if model.kind == "classes":
            _check_labels("public_examples.labels", public.labels, model)


def _check_labels(name: str, labels: Labels | np.ndarray, model: TokenModel) -> None:
    if model.kind != "classes":
        raise ValueError(
            f"`{name}` must be None for {model.name}, whose labels are the sentences "
            "themselves."
        )
    found = np.asarray(labels)
    whole = found.ndim == 1 and np.issubdtype(found.dtype, np.integer)
    if not whole or not np.all((found >= 0) & (found < model.num_classes)):
        raise ValueError(
            f"`{name}` must be classes in [0, {model.num_classes}), one for each "
            "sentence, but some are not."
        )


def _message(
    model: TokenModel,
    weights: Weights,
    examples: np.ndarray,
    labels: np.ndarray,
    training: LocalTraining | None,
) -> Vector:
    if training is not None:
        raise DoesNotApply(
            "`knowledge.local_training` must be None for sentences, whose messages are "
            "known as one gradient only, got several local steps."
        )
    tokens = sentences.as_tokens(examples, model.special.pad)
    if model.kind != "classes":
        labels = sentences.labels_of(examples)
    return token_model.gradient(
        model,
        tuple(tf.cast(one, model.dtype) for one in weights),
        type(tokens)(*map(tf.constant, tokens)),
        tf.constant(labels, tf.int32),
    )


def _without_draws(model: TokenModel) -> TokenModel:
    raise DoesNotApply(
        f"`knowledge.model` ({model.name}) must not draw random numbers (dropout): a "
        "language model is not built again without them. Build it with rate 0."
    )


def _agreement(found: np.ndarray, truth: np.ndarray) -> float:
    """The share of tokens at their places, in the order of the batch that fits best."""
    real = truth != sentences.NO_TOKEN
    equal = (found[:, np.newaxis] == truth[np.newaxis]) & real[np.newaxis]
    shares = equal.sum(axis=2) / np.maximum(real.sum(axis=1), 1)[np.newaxis]
    best = optimize.linear_sum_assignment(shares, maximize=True)
    return float(np.mean(shares[best]))


def _of_float32(programs: Programs, model: TokenModel) -> TokenModel:
    """The model itself: one token more or less is far above float32's rounding."""
    del programs
    return model


TOKENS = Modality(
    inputs=lambda model: ("tokens",),
    shape=lambda model: (model.length,),
    check=_check,
    message=_message,
    precise=_of_float32,
    without_draws=_without_draws,
    # A `TokenModel` has no regularisers.
    penalty=lambda model, weights: 0.0,
    score=_agreement,
)
"""Examples are int32 [L] of a `TokenModel`, `sentences.NO_TOKEN` behind the end. Labels
are classes, or [b, 0] where the next token is predicted."""
