"""What a model is trained for: its loss, and which labels the loss takes."""

import dataclasses
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf

from selenc_tf.models.labels import Rule
from selenc_tf.models.tracing import Output

Kind: TypeAlias = Literal["classes", "binary", "values", "other"]
"""What is learned: one of several classes, independent events, numbers by their squared
error, or something else that only training knows."""

_EPSILON = 1e-7
"""Keras' own distance of probabilities from 0 and 1 in a logarithm."""

_CLASSES = {
    keras.losses.sparse_categorical_crossentropy: (
        keras.losses.SparseCategoricalCrossentropy
    ),
    keras.losses.categorical_crossentropy: keras.losses.CategoricalCrossentropy,
    keras.losses.binary_crossentropy: keras.losses.BinaryCrossentropy,
    keras.losses.mean_squared_error: keras.losses.MeanSquaredError,
}
"""Losses as classes, which say what they are, by the functions that Keras' names mean."""


@dataclasses.dataclass(frozen=True)
class Objective:
    """A loss with what has to be known of it.

    Attributes:
      name: As results report it.
      kind: What is learned. The attacks know all but "other".
      loss: `(labels, outputs) -> scalar`, as Keras computes it; the model's own
        penalties are not in it.
      rules: A `labels.Rule` for each output, in their nesting.
      is_guessed: Whether nobody said it, and it is what the outputs suggest.
    """

    name: str
    kind: Kind
    loss: Callable[[Any, Any], tf.Tensor]
    rules: Any
    is_guessed: bool = False


def recognise(loss: Any, outputs: Any, model: str) -> Objective:
    """Says what a loss and a model's outputs are together.

    Args:
      loss: The name of a Keras loss, a Keras loss, or any callable `(labels, outputs) ->
        scalar or [b]`; nested as the outputs are where there are several. A name takes
        outputs for what they are; a Keras loss says itself whether it wants logits.
        None: the cross-entropy of two or more classes, or of events where the outputs
        are sigmoids.
      outputs: `Output`s, nested.
      model: Its name, for messages.

    Returns:
      The objective.

    Raises:
      ValueError: If there is no such loss, or it does not go with the outputs.
    """
    if isinstance(outputs, Output):
        return _single(loss, outputs, model)
    if isinstance(loss, str | keras.losses.Loss):
        loss = _for_each(loss, outputs)
    if callable(loss):
        return Objective(_name(loss), "other", _mean_of(loss), Rule(None))
    return _joined(loss, outputs, model)


def of_compiled(model: keras.Model) -> Any:
    """The loss that a model was compiled with, as `recognise` takes it.

    Args:
      model: Compiled, or not.

    Returns:
      It, with Keras' meaning: a name takes outputs for probabilities. None if the model
      was not compiled with a loss.

    Raises:
      ValueError: If its losses are weighted.
    """
    compiled = getattr(model, "_compile_loss", None)
    if compiled is None:
        return None
    if compiled._user_loss_weights is not None:
        raise ValueError(
            f"{model.name!r} was compiled with `loss_weights`, which are not supported: "
            "give `loss`, a function of labels and outputs that adds them."
        )

    def told(loss: Any) -> Any:
        if isinstance(loss, Mapping):
            return {key: told(one) for key, one in loss.items()}
        if isinstance(loss, list | tuple):
            return [told(one) for one in loss]
        found = keras.losses.get(loss)
        return _CLASSES[found]() if found in _CLASSES else found

    return told(compiled._user_loss)


def soft(kind: Kind, labels: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """The loss of each example as a function of labels that are numbers.

    What an attacker who optimises over labels differentiates.

    Args:
      kind: Not "other".
      labels: [b, c] probabilities of classes, or of events, or values.
      scores: [b, c] logits, or predicted values.

    Returns:
      [b], whose mean is the objective's loss for labels as data have them.
    """
    if kind == "classes":
        # TensorFlow's fused operation takes labels for constants in its second derivative
        # (2.20), so an attacker who optimises over them would stand still.
        return -tf.reduce_sum(labels * tf.nn.log_softmax(scores, axis=-1), axis=-1)
    if kind == "binary":
        each = tf.nn.softplus(-scores) * labels + tf.nn.softplus(scores) * (
            1.0 - labels
        )
        return tf.reduce_mean(each, axis=-1)
    return tf.reduce_mean(tf.square(scores - labels), axis=-1)


def logits(output: Output, tensor: tf.Tensor) -> tf.Tensor:
    """Logits of what a model returns.

    Args:
      output: What it is.
      tensor: It.

    Returns:
      Logits, or the tensor itself where it is no probability.
    """
    if output.scale == "linear":
        return tensor
    # Keras leaves them on the tensor, and computes its losses from them.
    found = getattr(tensor, "_keras_logits", None)
    if found is not None:
        return found
    clipped = tf.clip_by_value(tensor, _EPSILON, 1.0 - _EPSILON)
    if output.scale == "softmax":
        return tf.math.log(clipped)
    return tf.math.log(clipped) - tf.math.log1p(-clipped)


def _single(loss: Any, output: Output, model: str) -> Objective:
    if loss is None:
        loss = _usual(output, model)
    if isinstance(loss, str):
        loss = _by_name(loss, output)
    elif isinstance(loss, types.FunctionType) and loss in _CLASSES:
        loss = _CLASSES[loss]()
    _check_scale(loss, output, model)
    if _is_of_keras(loss) and isinstance(loss, types.FunctionType):
        # What Keras' own functions take is as sure as what its classes take.
        return Objective(
            _name(loss),
            "other",
            _floats(loss),
            Rule(tf.TensorSpec(output.shape, tf.float32)),
        )
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    if config.get("reduction") == "none":
        raise ValueError(
            f"`loss` {loss.name} must be reduced to one number, got reduction='none'. "
            "Take 'sum_over_batch_size', Keras' default."
        )
    plain = (
        config.get("reduction") in ("sum_over_batch_size", "mean")
        and not config.get("label_smoothing")
        and config.get("axis", -1) in (-1, len(output.shape) - 1)
    )
    plain = plain and len(output.shape) == 2
    numbers = tf.TensorSpec(output.shape, tf.float32)

    def known(kind: Kind, rule: Rule) -> Objective:
        return Objective(loss.name, kind if plain else "other", _mean_of(loss), rule)

    if type(loss) is keras.losses.SparseCategoricalCrossentropy:
        ignored = config.get("ignore_class")
        rule = Rule(
            tf.TensorSpec(output.shape[:-1], tf.int32), output.shape[-1] or 0, ignored
        )
        return known("classes" if ignored is None else "other", rule)
    if type(loss) is keras.losses.CategoricalCrossentropy:
        return known("classes", Rule(numbers, probabilities=True))
    if type(loss) is keras.losses.BinaryCrossentropy:
        return known("binary", Rule(numbers, probabilities=True))
    if type(loss) is keras.losses.MeanSquaredError:
        return known("values", Rule(numbers))
    if (
        type(loss).__module__.startswith("keras.")
        and type(loss) is not keras.losses.CTC
    ):
        return known("other", Rule(numbers))
    return Objective(_name(loss), "other", _mean_of(loss), Rule(None))


def _is_of_keras(what: Any) -> bool:
    return getattr(what, "__module__", "").startswith("keras.")


def _floats(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], tf.Tensor]:
    """Keras' functions take labels in the type of the outputs."""
    return _mean_of(
        lambda labels, outputs: loss(tf.cast(labels, outputs.dtype), outputs)
    )


def _usual(output: Output, model: str) -> str:
    classes = output.shape[-1]
    if output.scale == "sigmoid":
        return "binary_crossentropy"
    if len(output.shape) > 1 and classes is not None and classes > 1:
        return "sparse_categorical_crossentropy"
    raise ValueError(
        f"`loss` must be given for {model!r}, whose output of shape {output.shape} may "
        "be a logit or a value. For example loss='binary_crossentropy' or "
        "loss='mean_squared_error', or compile the model."
    )


def _by_name(name: str, output: Output) -> Any:
    try:
        found = keras.losses.get(name)
    except ValueError:
        raise ValueError(
            f"`loss` must be the name of a Keras loss, a Keras loss or a function of "
            f"labels and outputs, got {name!r}. For example 'mean_squared_error'."
        ) from None
    if found in _CLASSES:
        found = _CLASSES[found]()
    if "from_logits" in getattr(found, "get_config", dict)():
        return type(found)(from_logits=output.scale == "linear")
    return found


def _check_scale(loss: Any, output: Output, model: str) -> None:
    """A loss that takes logits for probabilities, or the other way round, is an error."""
    if not isinstance(loss, keras.losses.Loss):
        return
    config = loss.get_config()
    if "from_logits" not in config:
        return
    name, wants = loss.name, config["from_logits"]
    if wants and output.scale != "linear":
        raise ValueError(
            f"`loss` {name} has from_logits=True, but the outputs of {model!r} are "
            f"probabilities (a {output.scale}). Take the activation or the argument away."
        )
    if not wants and output.scale == "linear":
        raise ValueError(
            f"`loss` {name} has from_logits=False, but no softmax or sigmoid makes "
            f"the outputs of {model!r} probabilities. Write from_logits=True, or give "
            "the last layer its activation."
        )
    several = "categorical" in name
    if (several and output.scale == "sigmoid") or (
        not several and output.scale == "softmax"
    ):
        raise ValueError(
            f"`loss` {name} does not go with the {output.scale} outputs of {model!r}: "
            "a softmax is for one of several classes, a sigmoid for independent events."
        )


def _joined(loss: Any, outputs: Any, model: str) -> Objective:
    """Several outputs, each with its loss; they are added."""
    if isinstance(outputs, Mapping):
        keys: list[Any] = list(outputs)
        if not isinstance(loss, Mapping) or set(loss) != set(keys):
            raise _nesting(outputs, loss, model)
    else:
        keys = list(range(len(outputs)))
        if not isinstance(loss, list | tuple) or len(loss) != len(keys):
            raise _nesting(outputs, loss, model)
    parts = {key: recognise(loss[key], outputs[key], model) for key in keys}

    def added(labels: Any, found: Any) -> tf.Tensor:
        return tf.add_n(
            [part.loss(labels[key], found[key]) for key, part in parts.items()]
        )

    rules = {key: part.rules for key, part in parts.items()}
    return Objective(
        " + ".join(part.name for part in parts.values()),
        "other",
        added,
        rules if isinstance(outputs, Mapping) else tuple(rules.values()),
    )


def _for_each(loss: Any, outputs: Any) -> Any:
    """One loss for several outputs is each one's, as in Keras."""
    if isinstance(outputs, Mapping):
        return {key: loss for key in outputs}
    return [loss for _ in outputs]


def _nesting(outputs: Any, loss: Any, model: str) -> ValueError:
    names = list(outputs) if isinstance(outputs, Mapping) else len(outputs)
    return ValueError(
        f"`loss` must be a function of labels and outputs, or one loss for each output of "
        f"{model!r} ({names}), got {type(loss).__name__}."
    )


def _mean_of(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], tf.Tensor]:
    """A loss as Keras reduces it: padding that the outputs are masked by left out."""
    if isinstance(loss, keras.losses.Loss):
        return lambda labels, outputs: tf.reduce_mean(loss(labels, outputs))

    def mean(labels: Any, outputs: Any) -> tf.Tensor:
        if not isinstance(outputs, tf.Tensor):
            return tf.reduce_mean(loss(labels, outputs))
        return _OfFunction(loss, labels)(tf.zeros([]), outputs)

    return mean


class _OfFunction(keras.losses.Loss):
    """A function of a batch's labels, which stay in their own type."""

    def __init__(self, function: Callable[[Any, Any], Any], labels: Any):
        super().__init__("of_function", reduction="sum_over_batch_size")
        self._function, self._labels = function, labels

    def call(self, y_true: Any, y_pred: Any) -> Any:
        del y_true
        labels = tf.convert_to_tensor(self._labels)
        ranks = len(labels.shape), len(y_pred.shape)
        # As Keras: [b] and [b, 1] are the same, and must not make [b, b].
        if ranks[0] + 1 == ranks[1] and y_pred.shape[-1] == 1:
            labels = tf.expand_dims(labels, -1)
        elif ranks[0] == ranks[1] + 1 and labels.shape[-1] == 1:
            labels = tf.squeeze(labels, -1)
        return self._function(labels, y_pred)


def _name(loss: Any) -> str:
    named = getattr(loss, "name", None) or getattr(loss, "__name__", None)
    return str(named or type(loss).__name__)
