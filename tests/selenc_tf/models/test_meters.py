import keras
import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.models import meters
from selenc_tf.models import task as task_lib
from tests.selenc_tf.models import architectures


def measured(name, metrics=None, compiled=None):
    """Names and results over two unequal batches, and the plain predictions."""
    model = architectures.build(name)
    if compiled:
        model.compile(**compiled)
    one = architectures.ARCHITECTURES[name]
    loss = None if compiled else one.loss
    task = task_lib.from_keras(model, loss, training=False)
    listed = meters.of_task(task, metrics)
    sums = [[tf.constant(v) for v in meter.initial] for meter in listed]
    inputs, labels = architectures.clients(name)[0]
    for part in (slice(0, 5), slice(5, None)):
        x, y = tf.nest.map_structure(lambda a, part=part: a[part], (inputs, labels))
        step = task_lib.step(task, task.initial_weights, task.initial_state, x, y)
        sums = [
            meter.update(have, step.loss, y, step.outputs)
            for meter, have in zip(listed, sums, strict=True)
        ]
    results = {
        meter.name: float(meter.result(have))
        for meter, have in zip(listed, sums, strict=True)
    }
    return results, labels, model(inputs, training=False)


def test_classes():
    results, labels, outputs = measured("dense")
    hits = np.mean(np.argmax(outputs, 1) == labels)
    assert results["accuracy"] == pytest.approx(hits)
    expected = float(architectures.CLASSES(labels, outputs))
    assert results["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["binary", "multi-label"])
def test_events(name):
    results, labels, outputs = measured(name)
    hits = np.mean((np.asarray(outputs) > 0.5) == (labels > 0.5))
    assert results["accuracy"] == pytest.approx(hits)


def test_values():
    results, labels, outputs = measured("regression")
    expected = np.mean(np.abs(outputs - labels))
    assert results["mean_absolute_error"] == pytest.approx(expected, rel=1e-5)


def test_compiled_metrics_come_along():
    results, _, _ = measured(
        "softmax",
        compiled={
            "loss": "sparse_categorical_crossentropy",
            "metrics": ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)],
        },
    )
    assert list(results) == ["loss", "accuracy", "sparse_top_k_categorical_accuracy"]
    assert results["accuracy"] <= results["sparse_top_k_categorical_accuracy"] <= 1


def test_metrics_of_one_output():
    results, labels, outputs = measured("two outputs", {"which": ["accuracy"]})
    hits = np.mean(np.argmax(outputs["which"], 1) == labels["which"])
    assert results["which_accuracy"] == pytest.approx(hits)


def test_no_accuracy_of_values():
    with pytest.raises(ValueError, match="must not ask for the accuracy"):
        measured("regression", ["accuracy"])


def test_names_are_different():
    with pytest.raises(ValueError, match="different names"):
        measured("dense", ["accuracy", "accuracy"])


def test_an_unknown_output():
    with pytest.raises(ValueError, match=r"outputs of .* got \['who'\]"):
        measured("two outputs", {"who": ["accuracy"]})
