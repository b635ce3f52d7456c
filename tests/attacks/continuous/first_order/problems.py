"""A recipe and problems that the tests of the search share."""

import numpy as np
import tensorflow as tf

from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes
from attacks.pictures.priors import penalty
from tests.attacks import victims

PLAIN = recipes.Recipe(
    distance="cosine",
    prior=penalty.PicturePrior(total_variation=1e-3),
    step="gradient",
    learning_rate=0.05,
    schedule="constant",
    initial="uniform",
)


def problem_of(model, count=1, size=1, hidden=0.0):
    classes = model.num_classes
    labels = [
        tuple((trial + i) % classes for i in range(size)) for trial in range(count)
    ]
    vectors = [
        victims.gradient(model, victims.tiny_pictures(size, trial), labels[trial])
        for trial in range(count)
    ]
    matched = np.stack(
        [~victims.random_mask(model.spec.size, hidden, trial) for trial in range(count)]
    ).astype(np.float32)
    return first_order.Problem(
        weights=model.initial_weights,
        targets=tf.constant(np.stack(vectors) * matched),
        matched=tf.constant(matched),
        labels=tf.one_hot(np.array(labels), classes),
        shares=tf.fill([size], 1.0 / size),
        which=tf.range(count),
        group=tf.range(count),
        features=tf.zeros([count, 1]),
        known_features=tf.zeros([count, 1]),
    )
