"""The networks of the attack suite in PyTorch.

Weights are in the order of our models' trainable tensors. Normalisation is in inference
mode with the statistics (0, 1), as our models have it before anybody trains them.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

_EPSILON = 1e-5


def _lenet(torch: Any, weights: Any, images: Any) -> Any:
    hidden = images
    for index, stride in enumerate((2, 2, 1)):
        kernel, bias = weights[2 * index], weights[2 * index + 1]
        hidden = torch.nn.functional.conv2d(
            hidden, kernel, bias, stride=stride, padding=2
        )
        hidden = torch.sigmoid(hidden)
    return torch.nn.functional.linear(hidden.flatten(1), weights[6], weights[7])


def _normalise(hidden: Any, gamma: Any, beta: Any) -> Any:
    scale = gamma / math.sqrt(1.0 + _EPSILON)
    return scale[:, None, None] * hidden + beta[:, None, None]


def _convnet(torch: Any, weights: Any, images: Any) -> Any:
    ops = torch.nn.functional
    tensors = iter(weights)
    hidden = 4.0 * images - 2.0
    for convolutions in (6, 2):
        for _ in range(convolutions):
            hidden = ops.conv2d(hidden, next(tensors), next(tensors), padding=1)
            hidden = torch.relu(_normalise(hidden, next(tensors), next(tensors)))
        hidden = ops.max_pool2d(hidden, 3)
    return ops.linear(hidden.flatten(1), next(tensors), next(tensors))


def _resnet18(torch: Any, weights: Any, images: Any) -> Any:
    ops = torch.nn.functional
    tensors = iter(weights)
    hidden = ops.conv2d(images, next(tensors), padding=1)
    hidden = torch.relu(_normalise(hidden, next(tensors), next(tensors)))
    for stage in range(4):
        for index in range(2):
            changes = stage > 0 and index == 0
            hidden = _block(torch, tensors, hidden, changes)
    return ops.linear(hidden.mean((2, 3)), next(tensors), next(tensors))


def _block(torch: Any, tensors: Iterator[Any], hidden: Any, changes: bool) -> Any:
    """Two convolutions beside a shortcut, which `changes` the shape or does nothing."""
    convolution = torch.nn.functional.conv2d
    stride = 2 if changes else 1
    branch = convolution(hidden, next(tensors), stride=stride, padding=1)
    branch = torch.relu(_normalise(branch, next(tensors), next(tensors)))
    if changes:
        # Keras lists layers by their depth: the shortcut is beside the second layer.
        shortcut, kernel = next(tensors), next(tensors)
        hidden = convolution(hidden, shortcut, stride=stride)
        hidden = _normalise(hidden, next(tensors), next(tensors))
    else:
        kernel = next(tensors)
    branch = convolution(branch, kernel, padding=1)
    return torch.relu(hidden + _normalise(branch, next(tensors), next(tensors)))


NETWORKS: Mapping[str, Callable[[Any, Any, Any], Any]] = MappingProxyType(
    {"lenet": _lenet, "convnet": _convnet, "resnet18": _resnet18}
)
"""`(torch, weights, images [b, c, h, w]) -> logits`, by name."""
