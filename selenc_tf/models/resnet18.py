"""ResNet-18 in the form that is used for 32x32 pictures.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, table 1
(18 layers) with the stem of its section 4.2: one 3x3 convolution of stride 1 and no
pooling. Shortcuts that change the shape are 1x1 convolutions.

Normalisation runs in inference mode. Its statistics are public state of the global
model, which the server broadcasts with the weights; clients do not send their own.
`batch_statistics.calibrate` sets them from public pictures for a model that nobody has
trained: with the statistics (0, 1) its activations grow from block to block.
"""

import math

import keras

from selenc_tf.models import functional

_CHANNELS = (64, 128, 256, 512)
_BLOCKS = 2
_EPSILON = 1e-5


def resnet18(
    input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> functional.FunctionalModel:
    """Builds the network.

    Kernels of convolutions start at N(0, 2 / f) with f outputs of a unit ("fan out"; He,
    Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015, equation 14), scales at
    1, shifts at 0, the head at U(-1/sqrt(512), 1/sqrt(512)).

    Args:
      input_shape: Height, width and channels of a picture.
      num_classes: Number of classes.
      seed: Of the initial weights.

    Returns:
      The model: 11,173,962 parameters for 3 channels and 10 classes.
    """
    seeds = iter(range(seed, seed + 100))

    def convolution(
        hidden: keras.KerasTensor, channels: int, size: int, stride: int, name: str
    ) -> keras.KerasTensor:
        if size == 3:
            # Zeros on every side, then "valid": Keras' "same" pads unevenly at stride 2.
            hidden = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(hidden)
        hidden = keras.layers.Conv2D(
            channels,
            size,
            strides=stride,
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, "fan_out", "untruncated_normal", seed=next(seeds)
            ),
            name=name,
        )(hidden)
        return keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_norm")(
            hidden
        )

    def block(
        hidden: keras.KerasTensor, channels: int, stride: int, name: str
    ) -> keras.KerasTensor:
        branch = convolution(hidden, channels, 3, stride, f"{name}_conv0")
        branch = keras.layers.ReLU(name=f"{name}_relu0")(branch)
        branch = convolution(branch, channels, 3, 1, f"{name}_conv1")
        if stride != 1 or hidden.shape[-1] != channels:
            hidden = convolution(hidden, channels, 1, stride, f"{name}_shortcut")
        hidden = keras.layers.Add(name=f"{name}_add")([hidden, branch])
        return keras.layers.ReLU(name=f"{name}_relu1")(hidden)

    inputs = keras.Input(input_shape, name="image")
    hidden = convolution(inputs, _CHANNELS[0], 3, 1, "stem")
    hidden = keras.layers.ReLU(name="stem_relu")(hidden)
    for stage, channels in enumerate(_CHANNELS):
        for index in range(_BLOCKS):
            stride = 2 if stage > 0 and index == 0 else 1
            hidden = block(hidden, channels, stride, f"stage{stage}_block{index}")
    hidden = keras.layers.GlobalAveragePooling2D(name="pool")(hidden)
    bound = 1.0 / math.sqrt(_CHANNELS[-1])
    logits = keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.RandomUniform(
            -bound, bound, seed=next(seeds)
        ),
        bias_initializer=keras.initializers.RandomUniform(
            -bound, bound, seed=next(seeds)
        ),
        name="head",
    )(hidden)
    return functional.from_keras(
        keras.Model(inputs, logits, name="resnet18"), training=False
    )
