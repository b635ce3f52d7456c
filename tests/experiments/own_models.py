"""Models as users have them, named by `--model=tests.experiments.own_models:...`."""

import keras


def two_inputs() -> keras.Model:
    """Two inputs by name, batch normalisation and dropout, as logits of three classes."""
    left, right = keras.Input((3,), name="left"), keras.Input((2,), name="right")
    hidden = keras.layers.Concatenate()([keras.layers.Dense(4)(left), right])
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Dense(8, activation="tanh")(hidden)
    hidden = keras.layers.Dropout(0.25)(hidden)
    outputs = keras.layers.Dense(3)(hidden)
    return keras.Model({"left": left, "right": right}, outputs, name="two_inputs")


def binary() -> keras.Model:
    """One event's probability."""
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")], name="binary"
    )


def fails() -> keras.Model:
    """Raises, as code with a mistake does."""
    raise RuntimeError("no such file of vocabulary")


def normalised() -> keras.Model:
    """Pictures of 4x4 pixels through a batch normalisation, as logits of three classes."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Flatten(),
            layers.Dense(8, activation="sigmoid"),
            layers.BatchNormalization(),
            layers.Dense(3),
        ],
        name="normalised",
    )


def diverged() -> keras.Model:
    """A weight that is no number."""
    model = binary()
    kernel, bias = model.get_weights()
    model.set_weights([kernel, float("nan") * bias])
    return model


def enormous() -> keras.Model:
    """Finite weights of a loss that is not."""
    layers = [keras.layers.Dense(1, kernel_initializer="ones") for _ in range(2)]
    model = keras.Sequential([keras.Input((4,)), *layers], name="enormous")
    model.compile(loss="mse")
    model.set_weights([1e30 * weight for weight in model.get_weights()])
    return model
