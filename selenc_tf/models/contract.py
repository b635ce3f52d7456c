"""What a Keras model must be so that our functions compute what Keras computes.

Every problem is a sentence that names the layer and says what to do. What is not a
problem here is computed as Keras computes it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras

from selenc_tf.models.tracing import Trace


def of_environment() -> Iterator[str]:
    """Problems of Keras' global state, which is read at this one place."""
    if keras.backend.backend() != "tensorflow":
        yield (
            f"Keras' backend must be tensorflow, got {keras.backend.backend()}: set the "
            "environment variable KERAS_BACKEND=tensorflow before Keras is imported."
        )
    if keras.config.floatx() != "float32":
        yield (
            f"`keras.config.floatx()` must be float32, got {keras.config.floatx()}: call "
            "keras.config.set_floatx('float32') before the model is built."
        )


def of_layers(model: keras.Model) -> Iterator[str]:
    """Problems that the layers themselves show."""
    if model.built and not model.trainable_variables:
        yield (
            f"`model` must have trainable weights, but {model.name!r} has none: there "
            "is no gradient to protect. Set `layer.trainable = True` on some layer."
        )
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.Model | keras.layers.InputLayer):
            continue
        low = sorted({one for one in _dtypes(layer) if "float" in one} - {"float32"})
        if low:
            yield (
                f"Layer {layer.name!r} must compute in float32, but it uses "
                f"{' and '.join(low)}: gradients are encoded as float32. Build the model "
                "after keras.config.set_dtype_policy('float32')."
            )
        bound = [v.path for v in layer.trainable_variables if v.constraint is not None]
        if bound:
            yield (
                f"Layer {layer.name!r} must have no constraint, but {bound[0]!r} has one, "
                "which no optimiser of TFF applies. Take it away, or bound the weight in "
                "the layer's call."
            )
        if getattr(layer, "data_format", None) == "channels_first":
            yield (
                f"Layer {layer.name!r} must have its channels last, got data_format="
                "'channels_first', which TensorFlow does not compute everywhere. Build "
                "it with data_format='channels_last'."
            )
        if getattr(layer, "stateful", False):
            yield (
                f"Layer {layer.name!r} must not keep a state between batches, got "
                "stateful=True: clients of TFF keep nothing from round to round."
            )


def of_training(model: keras.Model) -> Iterator[str]:
    """Problems of a model that trains itself in a way of its own."""
    for name in ("train_step", "compute_loss"):
        if getattr(type(model), name) is not getattr(keras.Model, name):
            yield (
                f"{model.name!r} has its own `{name}`, which is not called here: pass "
                "what it minimises as `loss`, a function of labels and outputs."
            )


def of_trace(model: keras.Model, trace: Trace) -> Iterator[str]:
    """Problems that a call in training mode shows."""
    for path in trace.assigned:
        yield (
            f"Weight {path!r} of {model.name!r} must be changed by the optimiser alone, "
            "but a layer assigns it in its call (as SpectralNormalization does), which "
            "would be lost. Take that layer away."
        )
    for path in trace.without_gradient:
        yield (
            f"Weight {path!r} of {model.name!r} must be reached by a gradient, but "
            "nothing can be differentiated on the way to it (an argmax, a rounding, a "
            "stop_gradient). Freeze its layer by `layer.trainable = False`, or make the "
            "way differentiable."
        )
    for scope in trace.foreign:
        yield (
            f"{model.name!r} must use weights of its own layers only, but {scope!r} "
            "reads another variable or a table. Make it a weight of a layer; look up "
            "strings and vocabularies in the data set (`dataset.map`)."
        )
    for scope in trace.random:
        yield (
            f"{model.name!r} must draw random numbers by a `keras.random.SeedGenerator`, "
            f"but {scope!r} does not. Give its layer one, as Keras' own have."
        )


def of_state(model: keras.Model, moving: Sequence[Any]) -> Iterator[str]:
    """Problems of what training moves beside the weights."""
    for variable in moving:
        if keras.backend.standardize_dtype(variable.dtype) != "float32":
            yield (
                f"State {variable.path!r} of {model.name!r} must be float32 to be "
                f"averaged over clients, got {variable.dtype}. Keep counters out of the "
                "model."
            )


def check(problems: Iterable[str]) -> None:
    """Refuses a model for the first of its problems.

    Raises:
      ValueError: If there is one.
    """
    for problem in problems:
        raise ValueError(problem)


def _dtypes(layer: Any) -> Iterator[str]:
    yield keras.backend.standardize_dtype(layer.compute_dtype)
    for variable in layer.trainable_variables:
        yield keras.backend.standardize_dtype(variable.dtype)
