"""A Keras model built again, with something else in its configuration."""

from collections.abc import Callable
from typing import Any

import keras


def rebuilt(
    model: keras.Model, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> keras.Model:
    """The same architecture with other configurations and the same values.

    Args:
      model: A built `keras.Sequential`, a `keras.Model(inputs, outputs)`, or a model
        whose class can be made from its `get_config`.
      change: Makes a new dictionary of each dictionary in the configuration, the inner
        ones first.

    Returns:
      A new model; the given one is left as it is.

    Raises:
      ValueError: If the class does not say how it is built.
    """
    layers = list(model._flatten_layers())
    objects: dict[str, Any] = {type(layer).__name__: type(layer) for layer in layers}
    for layer in layers:
        if isinstance(layer, keras.layers.Lambda):
            objects[_function_name(layer.name)] = layer.function

    def changed(config: Any) -> Any:
        if isinstance(config, dict):
            inner = {key: changed(value) for key, value in config.items()}
            return change(_by_name(inner))
        if isinstance(config, list | tuple):
            return type(config)(changed(item) for item in config)
        return config

    try:
        # Keras writes the bytecode of a lambda, which would lose what it refers to.
        with keras.saving.custom_object_scope(objects):
            result = type(model).from_config(changed(model.get_config()))
    except (TypeError, NotImplementedError) as error:
        raise ValueError(
            f"`model` must be one that Keras can build again, but {model.name!r} cannot "
            f"({str(error).splitlines()[0]}). Give its class a `get_config`, or make it "
            "of `keras.Input`s as a `keras.Model(inputs, outputs)`."
        ) from error
    result.set_weights(model.get_weights())
    return result


def in_dtype(model: keras.Model, dtype: str) -> keras.Model:
    """The same model computing in another floating type.

    Args:
      model: As `rebuilt` takes it.
      dtype: For example "float64".

    Returns:
      A new model; integer inputs stay integers.

    Raises:
      ValueError: If it cannot be built again.
    """

    def change(config: dict[str, Any]) -> dict[str, Any]:
        return {
            key: dtype if key == "dtype" and not _is_integer(value) else value
            for key, value in config.items()
        }

    return rebuilt(model, change)


def _function_name(layer: str) -> str:
    return f"function_of_{layer}"


def _by_name(config: dict[str, Any]) -> dict[str, Any]:
    """Lets a Lambda layer's function be found by name."""
    if config.get("class_name") != "Lambda":
        return config
    name = _function_name(config["config"]["name"])
    function = {"class_name": "function", "config": name, "registered_name": name}
    return {**config, "config": {**config["config"], "function": function}}


def _is_integer(value: Any) -> bool:
    return isinstance(value, str) and not value.startswith(("float", "bfloat"))
