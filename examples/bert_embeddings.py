"""What a mask leaves of the token embeddings that went into a BERT, without an attack.

python examples/bert_embeddings.py

A BERT encoder (two layers, width 128, as in the smallest published one, with random
weights) reads 4 token embeddings: d = 512 unknowns. Its Jacobian by 397,058 parameters
would take 1.6 GB, so it is sketched while it is computed.
"""

import time

import keras
import keras_hub
import numpy as np

from selenc_tf.distance import (
    cramer_rao,
    identifiability,
    jacobian,
    noise,
    prior,
    sketch,
)
from selenc_tf.masks import policy
from selenc_tf.models import functional

TOKENS, WIDTH, CLASSES = 4, 128, 2
RATIOS = (0.0, 0.1, 0.5, 0.9, 0.99)

# 1. The encoder as a function of embeddings: what an attacker on text searches over.
keras.utils.set_random_seed(0)
embeddings = keras.Input((TOKENS, WIDTH), name="embeddings")
hidden = keras.layers.LayerNormalization(epsilon=1e-12)(embeddings)
for layer in range(2):
    hidden = keras_hub.layers.TransformerEncoder(
        intermediate_dim=4 * WIDTH,
        num_heads=2,
        activation="gelu",
        layer_norm_epsilon=1e-12,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        name=f"transformer_{layer}",
    )(hidden)
logits = keras.layers.Dense(CLASSES)(hidden[:, 0])
model = functional.from_keras(keras.Model(embeddings, logits, name="bert_2_128"))

# 2. A sentence and what is known beforehand: N(0, 0.02^2), as BERT's table starts.
generator = np.random.default_rng(0)
table = generator.normal(scale=0.02, size=[1000, TOKENS, WIDTH, 1])
known = prior.isotropic(table[1:])
sentence, label = table[:1, ..., 0], np.eye(CLASSES)[:1]

# 3. The gradient, its error, and masks by size and by lot.
derivatives = jacobian.compile_derivatives(functional.in_float64(model))
linear = jacobian.linearise(derivatives, model.initial_weights, sentence, label)
sigma = noise.float32_rounding(linear.gradient)
n = len(linear.gradient)
orders = {
    "magnitude": np.argsort(-np.abs(linear.gradient), kind="stable"),
    "random": generator.permutation(n),
}

# 4. The bound, for all ratios in one pass over the columns of the Jacobian.
print(f"{n:,} parameters, {linear.unknowns:,} unknowns")
for name, order in orders.items():
    began = time.monotonic()
    counts = [policy.hidden_count(ratio, n) for ratio in RATIOS]
    factors = sketch.nested(linear, sigma, order, counts, known, seed=0)
    for ratio, m in zip(RATIOS, counts, strict=True):
        found = cramer_rao.posterior(factors[m], known)
        print(
            f"{name}, ratio {ratio:g}: rank {identifiability.rank(factors[m])}, "
            f"{found.degrees_of_freedom:.0f} degrees of freedom, "
            f"{100 * found.mse / known.variance:.2g} % of the variance left"
        )
    print(f"{name}: {time.monotonic() - began:.0f} s")
