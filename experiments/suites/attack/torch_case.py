"""A case of the attack suite as PyTorch has it.

PyTorch's tensors are laid out [channels, height, width]; weights and pictures arrive in
the project's layout and are turned once, at loading.
"""

import functools
import importlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from experiments.suites.attack.torch_networks import NETWORKS


class Loaded(NamedTuple):
    """A case as PyTorch has it.

    Attributes:
      torch: The module.
      network: `(weights, images [b, c, h, w]) -> logits`.
      distance: A key of `torch_worker.DISTANCES`.
      dtype: Of all floating-point tensors.
      weights: The network's, which want gradients.
      images: [p, c, h, w].
      labels: [p].
      gradients: For each picture the parts of the gradient, of the weights' shapes.
      starts: [t, c, h, w].
    """

    torch: Any
    network: Callable[[Any, Any], Any]
    distance: str
    dtype: Any
    weights: list
    images: Any
    labels: Any
    gradients: list
    starts: Any


def load(path: str) -> Loaded:
    """Reads what `torch_side.save` wrote."""
    torch = importlib.import_module("torch")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    dtype = getattr(torch, str(arrays["dtype"]))
    count = sum(name.startswith("weight") for name in arrays)
    shapes = [arrays[f"weight{index}"].shape for index in range(count)]
    turned = _turn(torch, dtype, [arrays[f"weight{index}"] for index in range(count)])
    sizes = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    gradients = []
    for vector in arrays["gradients"]:
        parts = [
            part.reshape(shape)
            for part, shape in zip(np.split(vector, sizes), shapes, strict=True)
        ]
        gradients.append(_turn(torch, dtype, parts))
    return Loaded(
        torch=torch,
        network=functools.partial(NETWORKS[str(arrays["network"])], torch),
        distance=str(arrays["distance"]),
        dtype=dtype,
        weights=[tensor.requires_grad_(True) for tensor in turned],
        images=_pictures(torch, dtype, arrays["images"]),
        labels=torch.tensor(arrays["labels"]),
        gradients=gradients,
        starts=_pictures(torch, dtype, arrays["starts"]),
    )


def _pictures(torch: Any, dtype: Any, images: np.ndarray) -> Any:
    return torch.tensor(images, dtype=dtype).permute(0, 3, 1, 2).contiguous()


def _turn(torch: Any, dtype: Any, tensors: list[np.ndarray]) -> list:
    """To PyTorch's layout; a dense layer's rows come from the last convolution's."""
    made, channels = [], 0
    for tensor in tensors:
        if tensor.ndim == 4:
            channels = tensor.shape[3]
            tensor = tensor.transpose(3, 2, 0, 1)
        elif tensor.ndim == 2:
            side = math.isqrt(tensor.shape[0] // max(channels, 1))
            if channels and side * side * channels == tensor.shape[0]:
                rows = tensor.reshape(side, side, channels, -1)
                tensor = rows.transpose(2, 0, 1, 3).reshape(tensor.shape)
            tensor, channels = tensor.T, 0
        made.append(torch.tensor(np.ascontiguousarray(tensor), dtype=dtype))
    return made
