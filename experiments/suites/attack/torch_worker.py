"""The PyTorch side of the attack suite; runs in an environment of its own.

Reads requests from its standard input, one JSON object a line, and answers each with
one on its standard output. It is written for the comparison only, and imports nothing
of the project but the measurement of memory.

PyTorch's tensors are laid out [channels, height, width]; weights and pictures arrive in
the project's layout and are turned once, at loading.
"""

import functools
import importlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from experiments.suites import resident_memory


class _Loaded(NamedTuple):
    """A case as PyTorch has it."""

    torch: Any
    network: Callable[[Any, Any], Any]
    weights: list
    images: Any
    labels: Any
    gradients: list
    starts: Any


def _lenet(torch: Any, weights: Any, images: Any) -> Any:
    hidden = images
    for index, stride in enumerate((2, 2, 1)):
        kernel, bias = weights[2 * index], weights[2 * index + 1]
        hidden = torch.nn.functional.conv2d(
            hidden, kernel, bias, stride=stride, padding=2
        )
        hidden = torch.sigmoid(hidden)
    return torch.nn.functional.linear(hidden.flatten(1), weights[6], weights[7])


NETWORKS: Mapping[str, Callable[[Any, Any, Any], Any]] = MappingProxyType(
    {"lenet": _lenet}
)
"""`(torch, weights, images [b, c, h, w]) -> logits`, by name."""


def _load(path: str) -> _Loaded:
    torch = importlib.import_module("torch")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    count = sum(name.startswith("weight") for name in arrays)
    shapes = [arrays[f"weight{index}"].shape for index in range(count)]
    turned = _turn(torch, [arrays[f"weight{index}"] for index in range(count)])
    sizes = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    gradients = []
    for vector in arrays["gradients"]:
        parts = [
            part.reshape(shape)
            for part, shape in zip(np.split(vector, sizes), shapes, strict=True)
        ]
        gradients.append(_turn(torch, parts))
    return _Loaded(
        torch=torch,
        network=functools.partial(NETWORKS[str(arrays["network"])], torch),
        weights=[tensor.requires_grad_(True) for tensor in turned],
        images=_pictures(torch, arrays["images"]),
        labels=torch.tensor(arrays["labels"]),
        gradients=gradients,
        starts=_pictures(torch, arrays["starts"]),
    )


def _pictures(torch: Any, images: np.ndarray) -> Any:
    return torch.tensor(images, dtype=torch.float64).permute(0, 3, 1, 2).contiguous()


def _turn(torch: Any, tensors: list[np.ndarray]) -> list:
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
        made.append(torch.tensor(np.ascontiguousarray(tensor), dtype=torch.float64))
    return made


def _objective(case: _Loaded, picture: int, images: Any) -> Any:
    torch = case.torch
    logits = case.network(case.weights, images)
    loss = torch.nn.functional.cross_entropy(logits, case.labels[picture : picture + 1])
    found = torch.autograd.grad(loss, case.weights, create_graph=True)
    return sum(
        ((one - other) ** 2).sum()
        for one, other in zip(found, case.gradients[picture], strict=True)
    )


def _norm(case: _Loaded, picture: int) -> float:
    return float(sum((part**2).sum() for part in case.gradients[picture]))


def _evaluate_single(case: _Loaded) -> tuple[float, np.ndarray]:
    """The relative error of the first picture at the first start, and its slope."""
    images = case.starts[:1].clone().requires_grad_(True)
    value = _objective(case, 0, images) / _norm(case, 0)
    (slope,) = case.torch.autograd.grad(value, images)
    return value.item(), slope.numpy()


def _evaluate_batch(case: _Loaded, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """All trials by `torch.func.vmap`: trial i has picture i and start i."""
    torch = case.torch
    targets = [
        torch.stack([case.gradients[index][part] for index in range(trials)])
        for part in range(len(case.weights))
    ]
    weights = [tensor.detach() for tensor in case.weights]
    norms = [_norm(case, index) for index in range(trials)]

    def loss(tensors: Any, image: Any, label: Any) -> Any:
        logits = case.network(tensors, image[None])
        return torch.nn.functional.cross_entropy(logits, label[None])

    def error(image: Any, label: Any, target: Any, norm: Any) -> Any:
        found = torch.func.grad(loss)(weights, image, label)
        squares = [
            ((one - other) ** 2).sum() for one, other in zip(found, target, strict=True)
        ]
        return sum(squares) / norm

    both = torch.func.vmap(torch.func.grad_and_value(error))
    slopes, values = both(
        case.starts[:trials],
        case.labels[:trials],
        targets,
        torch.tensor(norms, dtype=torch.float64),
    )
    return values.numpy(), slopes.numpy()


def _time(case: _Loaded, request: Mapping[str, Any]) -> dict[str, Any]:
    trials, count = request["trials"], request["evaluations"]
    began, worked = time.perf_counter(), time.process_time()
    for _ in range(count):
        if trials == 1:
            value, _ = _evaluate_single(case)
        else:
            values, _ = _evaluate_batch(case, trials)
            value = float(values[0])
    return {
        "seconds": (time.perf_counter() - began) / count,
        "cpu_seconds": (time.process_time() - worked) / count,
        "value": value,
    }


def _recipe(case: _Loaded, request: Mapping[str, Any]) -> dict[str, Any]:
    """The published recipe: N(0, 1) start, L-BFGS of step 1 without a line search."""
    torch, picture = case.torch, request["picture"]
    generator = torch.Generator().manual_seed(request["seed"])
    images = torch.randn(
        case.images[:1].shape, generator=generator, dtype=torch.float64
    ).requires_grad_(True)
    optimiser = torch.optim.LBFGS([images], lr=1.0, max_iter=20, history_size=100)
    evaluations, reached = 0, {}
    best, began, worked = -math.inf, time.perf_counter(), time.process_time()

    def closure() -> Any:
        nonlocal evaluations
        evaluations += 1
        optimiser.zero_grad()
        value = _objective(case, picture, images)
        (images.grad,) = torch.autograd.grad(value, images)
        return value

    for _ in range(request["outer_steps"]):
        before = images.detach().clone()
        optimiser.step(closure)
        now = time.perf_counter() - began
        mse = float(((images.detach().clamp(0, 1) - case.images[picture]) ** 2).mean())
        # Not a number: it will not come back.
        if not math.isfinite(mse) or now > request["max_seconds"]:
            break
        best = max(best, -10 * math.log10(max(mse, 1e-30)))
        for level in request["levels"]:
            if best >= level and str(level) not in reached:
                reached[str(level)] = [now, time.process_time() - worked]
        if best >= max(request["levels"]) or bool((before == images).all()):
            break
    return {
        "reached": reached,
        "best": best if math.isfinite(best) else None,
        "seconds": time.perf_counter() - began,
        "evaluations": evaluations,
    }


def _fewest_seconds(case: _Loaded, most: int) -> int:
    """The number of threads that evaluates fastest; sets it.

    Small operations lose more by waiting for a second thread than they win by it,
    where other processes share the cores.
    """
    seconds = {}
    for threads in range(1, most + 1):
        case.torch.set_num_threads(threads)
        _evaluate_single(case)
        began = time.perf_counter()
        for _ in range(5):
            _evaluate_single(case)
        seconds[threads] = time.perf_counter() - began
    best = min(seconds, key=lambda threads: seconds[threads])
    case.torch.set_num_threads(best)
    return best


def _memory(case: _Loaded, request: Mapping[str, Any]) -> dict[str, Any]:
    peak = resident_memory.of_call(lambda: _time(case, {**request, "evaluations": 3}))
    return {"peak_bytes": peak.peak_bytes}


_ANSWERS: Mapping[str, Callable[..., dict[str, Any]]] = MappingProxyType(
    {"time": _time, "recipe": _recipe, "memory": _memory}
)


def _main() -> None:
    first = json.loads(sys.stdin.readline())
    case = _load(first["path"])
    threads = first["threads"]
    if first["tune"]:
        threads = _fewest_seconds(case, threads)
    else:
        case.torch.set_num_threads(threads)
    answer = {"version": case.torch.__version__, "threads": threads}
    print(json.dumps(answer), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = _ANSWERS[request["what"]](case, request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main()
