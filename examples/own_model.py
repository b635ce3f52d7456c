"""Selective encryption of your own Keras model in TensorFlow Federated.

python examples/own_model.py
"""

import pathlib
import tempfile

import federated  # Before TFF, which needs it to be importable.
import keras
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from selenc_tf.lattice import codec, key_store, parameters, scales, shell_cipher
from selenc_tf.masks import agreement, policy
from selenc_tf.models import functional
from selenc_tf.significance import magnitude

NUM_CLIENTS = 4

# 1. Your model: one input, logits out. Nothing in it has to change.
model = functional.from_keras(
    keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(3),
        ],
        name="mine",
    )
)

# 2. What to hide: the tenth of the entries that were largest in the last aggregate
#    (the first round, which has none before it, is encrypted completely).
hide = agreement.previous_aggregate(
    magnitude.magnitude, policy.top_fraction(0.1), seed=(0, 0)
)

# 3. How to encrypt it: 16 bits a value. The codec's bound covers weight times update,
#    32 examples x 1.0 at first; then it follows what the rounds publish.
fixed_point = codec.FixedPointCodec(bits=16)
bounds = scales.previous_aggregate(initial=32.0)
cipher = shell_cipher.build_shell_cipher(parameters.choose_parameters(NUM_CLIENTS, 16))

with tempfile.TemporaryDirectory() as folder:
    # 4. The key holder makes a key and gives it to the clients. The server gets none.
    keys = key_store.create(pathlib.Path(folder) / "client.key", cipher)

    # 5. Any `tff.learning` process takes the aggregator.
    federated.install()
    process = tff.learning.algorithms.build_weighted_fed_avg(
        federated.tff_model(model),
        client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1),
        model_aggregator=federated.selective_encryption(
            federated.SelectiveEncryption(hide, fixed_point, bounds, cipher, keys)
        ),
    )

    # 6. Optional: the proof, on the compiled computation, that no key reaches the server.
    print("what clients send to the server:")
    for crossing in federated.key_flow.check(
        process.next, key_path=keys.path
    ).to_server:
        print("  ", crossing.type)

    generator = np.random.default_rng(0)
    clients = []
    for _ in range(NUM_CLIENTS):
        x = generator.normal(size=(32, 8)).astype(np.float32)
        y = x[:, :3].argmax(axis=1).astype(np.int32)
        clients.append(tf.data.Dataset.from_tensor_slices((x, y)).batch(8))

    state = process.initialize()
    for round_number in range(1, 6):
        output = process.next(state, clients)
        state = output.state
        loss = output.metrics["client_work"]["train"]["loss"]
        cost = output.metrics["aggregator"]
        print(
            f"round {round_number}: loss {loss:.3f}, {cost['hidden']} of "
            f"{model.spec.size} entries encrypted, {cost['saturated']} out of range"
        )
