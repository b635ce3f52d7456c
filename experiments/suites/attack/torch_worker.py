"""The PyTorch side of the attack suite; runs in an environment of its own.

Reads requests from its standard input, one JSON object a line, and answers each with
one on its standard output. It is written for the comparison only, and imports nothing
of the project but files that need NumPy alone.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from experiments.suites import memory
from experiments.suites.attack import torch_case
from experiments.suites.attack.torch_case import Loaded


def _gradient(case: Loaded, picture: int, images: Any) -> Any:
    """The candidate's, which can be differentiated again."""
    logits = case.network(case.weights, images)
    loss = case.torch.nn.functional.cross_entropy(
        logits, case.labels[picture : picture + 1]
    )
    return case.torch.autograd.grad(loss, case.weights, create_graph=True)


def _objective(case: Loaded, picture: int, images: Any) -> Any:
    found = _gradient(case, picture, images)
    return sum(
        ((one - other) ** 2).sum()
        for one, other in zip(found, case.gradients[picture], strict=True)
    )


def _norm(case: Loaded, picture: int) -> float:
    return float(sum((part**2).sum() for part in case.gradients[picture]))


def _relative_l2(case: Loaded, picture: int, images: Any) -> Any:
    return _objective(case, picture, images) / _norm(case, picture)


def _cosine(case: Loaded, picture: int, images: Any) -> Any:
    found = _gradient(case, picture, images)
    pairs = list(zip(found, case.gradients[picture], strict=True))
    product: Any = sum((one * other).sum() for one, other in pairs)
    energy: Any = sum((one**2).sum() for one, _ in pairs)
    return 1.0 - product / (energy.sqrt() * math.sqrt(_norm(case, picture)))


DISTANCES: Mapping[str, Callable[[Loaded, int, Any], Any]] = MappingProxyType(
    {"l2": _relative_l2, "cosine": _cosine}
)
"""`(case, picture, images [1, c, h, w]) -> scalar`, by name; all are relative."""


def _evaluate_single(case: Loaded) -> tuple[float, np.ndarray]:
    """The distance of the first picture at the first start, and its slope."""
    images = case.starts[:1].clone().requires_grad_(True)
    value = DISTANCES[case.distance](case, 0, images)
    (slope,) = case.torch.autograd.grad(value, images)
    return value.item(), slope.numpy()


def _evaluate_batch(case: Loaded, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """All trials by `torch.func.vmap`, L2 only: trial i has picture i and start i."""
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
        torch.tensor(norms, dtype=case.dtype),
    )
    return values.numpy(), slopes.numpy()


def _time(case: Loaded, request: Mapping[str, Any]) -> dict[str, Any]:
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


def _recipe(case: Loaded, request: Mapping[str, Any]) -> dict[str, Any]:
    """The published recipe: N(0, 1) start, L-BFGS of step 1 without a line search."""
    torch, picture = case.torch, request["picture"]
    generator = torch.Generator().manual_seed(request["seed"])
    images = torch.randn(
        case.images[:1].shape, generator=generator, dtype=case.dtype
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


def _fewest_seconds(
    case: Any, evaluate: Callable[[Any], object], most: int, evaluations: int
) -> int:
    """The number of threads that evaluates fastest; sets it.

    Small operations lose more by waiting for a second thread than they win by it,
    where other processes share the cores.
    """
    seconds = {}
    for threads in range(1, most + 1):
        case.torch.set_num_threads(threads)
        evaluate(case)
        began = time.perf_counter()
        for _ in range(evaluations):
            evaluate(case)
        seconds[threads] = time.perf_counter() - began
    best = min(seconds, key=lambda threads: seconds[threads])
    case.torch.set_num_threads(best)
    return best


def _memory(case: Loaded, request: Mapping[str, Any]) -> dict[str, Any]:
    peak = memory.of_call(
        lambda: _time(case, {**request, "evaluations": memory.EVALUATIONS})
    )
    return {"peak_bytes": peak.peak_bytes}


_ANSWERS: Mapping[str, Callable[..., dict[str, Any]]] = MappingProxyType(
    {"time": _time, "recipe": _recipe, "memory": _memory}
)


def serve(
    load: Callable[[str], Any],
    evaluate: Callable[[Any], object],
    answers: Mapping[str, Callable[..., dict[str, Any]]],
) -> None:
    """Answers requests until there are no more.

    Args:
      load: `path -> case`, with PyTorch as its `torch`.
      evaluate: What the number of threads is chosen by.
      answers: `(case, request) -> answer`, by what is asked for.
    """
    first = json.loads(sys.stdin.readline())
    case = load(first["path"])
    threads = first["threads"]
    if first["tune"]:
        threads = _fewest_seconds(case, evaluate, threads, first["tune"])
    else:
        case.torch.set_num_threads(threads)
    answer = {"version": case.torch.__version__, "threads": threads}
    print(json.dumps(answer), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = answers[request["what"]](case, request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(torch_case.load, _evaluate_single, _ANSWERS)
