"""Selective encryption of your own Keras model in TensorFlow Federated.

python examples/own_model.py
"""

import federated  # Before TFF, which needs it to be importable.
import keras
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

NUM_CLIENTS = 4

# Your model, as you train it with Keras: what it means is computed, or refused in a
# sentence. `check_model` says beforehand what works with it.
model = keras.Sequential(
    [
        keras.Input((8,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(3, activation="softmax"),
    ],
    name="mine",
)
print(federated.check_model(model))

# The whole change of an existing script: the model, and the aggregator. Hidden is the
# tenth of the entries that were largest in the last aggregate (the first round, which
# has none before it, is encrypted completely). Batch statistics are averaged too.
process = federated.build_weighted_fed_avg(
    federated.tff_model(model),
    client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1),
    model_aggregator=federated.selective_encryption(ratio=0.1, max_clients=NUM_CLIENTS),
)

# Optional: the proof, on the compiled computation, that no key reaches the server.
print("what clients send to the server:")
for crossing in federated.key_flow.check(process.next).to_server:
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
        f"round {round_number}: loss {loss:.3f}, {cost['hidden']} entries encrypted, "
        f"{cost['saturated']} out of range"
    )

# The trained model back in Keras, its statistics included.
federated.to_keras(process.get_model_weights(state), model)
print(f"accuracy of the Keras model: {np.mean(model(x).numpy().argmax(1) == y):.2f}")
