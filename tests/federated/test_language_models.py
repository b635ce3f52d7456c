"""Language models in TFF, against their own gradients."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated
from selenc_tf import flatten
from selenc_tf.models.text import token_model
from tests.selenc_tf.models.text import language

SGD = tff.learning.optimizers.build_sgdm


@pytest.mark.slow
@pytest.mark.parametrize("name", language.QUICK)
def test_clients_train_what_is_attacked(federation, name):
    model = language.model(name)
    batch, labels = language.batch(), language.labels(model)
    data = tf.data.Dataset.from_tensor_slices((batch._asdict(), labels)).batch(2)
    process = tff.learning.algorithms.build_weighted_fed_avg(
        federated.tff_model(model.task),
        client_optimizer_fn=SGD(0.5),
        server_optimizer_fn=SGD(1.0),
    )
    output = process.next(process.initialize(), [data, data])
    weights = process.get_model_weights(output.state).trainable
    gradient = token_model.gradient(model, model.initial_weights, batch, labels)
    slopes = flatten.unflatten(gradient, model.spec)
    assert len(weights) == len(slopes)
    for found, start, slope in zip(
        weights.values(), model.initial_weights, slopes, strict=True
    ):
        np.testing.assert_allclose(found, start - 0.5 * slope, rtol=1e-5, atol=1e-6)
    loss = np.mean(model.losses(model.initial_weights, batch, labels))
    measured = output.metrics["client_work"]["train"]["loss"]
    np.testing.assert_allclose(measured, loss, rtol=1e-5)
