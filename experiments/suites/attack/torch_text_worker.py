"""The PyTorch side of the text case; runs in an environment of its own.

As `torch_worker`: written for the comparison only, and importing files that need NumPy
alone.
"""

import functools
import importlib
import math
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from experiments.suites import memory
from experiments.suites.attack import torch_worker

_ROUNDING, _CHUNK = 1e-7, 4_000_000
"""As our side has them."""


class Loaded(NamedTuple):
    """A case as PyTorch has it.

    Attributes:
      torch: The module.
      weights: By the tensors' names; they want gradients.
      arrays: All else that was saved.
    """

    torch: Any
    weights: dict[str, Any]
    arrays: dict[str, Any]


def load(path: str) -> Loaded:
    """Reads what `text_cases.save` wrote."""
    torch = importlib.import_module("torch")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    weights = {
        str(name): torch.tensor(arrays.pop(f"weight{at}")).requires_grad_(True)
        for at, name in enumerate(arrays["names"])
    }
    made = {
        name: one if name in ("names", "compared") else torch.tensor(one)
        for name, one in arrays.items()
    }
    return Loaded(torch, weights, made)


def _normal(case: Loaded, hidden: Any, layer: str) -> Any:
    gamma, beta = (case.weights[f"{layer}/{part}"] for part in ("gamma", "beta"))
    return case.torch.nn.functional.layer_norm(
        hidden, gamma.shape, gamma, beta, float(case.arrays["epsilon"])
    )


def _dense(case: Loaded, hidden: Any, layer: str) -> Any:
    kernel, bias = (case.weights[f"{layer}/{part}"] for part in ("kernel", "bias"))
    return hidden @ kernel.reshape(hidden.shape[-1], -1) + bias.reshape(-1)


def _entering(case: Loaded, words: Any) -> Any:
    """What enters the first block, of words [b, L, d]."""
    places = case.weights["position_embedding/embeddings"][: words.shape[1]]
    segment = case.weights["segment_embedding/embeddings"][0]
    return _normal(case, words + places + segment, "embeddings_layer_norm")


def _block(case: Loaded, hidden: Any, name: str) -> Any:
    attention = f"{name}/self_attention_layer"
    heads = case.weights[f"{attention}/query/kernel"].shape[1]

    def split(part: str) -> Any:
        found = _dense(case, hidden, f"{attention}/{part}")
        return found.reshape(*found.shape[:2], heads, -1).transpose(1, 2)

    query, key, value = map(split, ("query", "key", "value"))
    scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
    seen = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
    seen = _dense(case, seen, f"{attention}/attention_output")
    hidden = _normal(case, hidden + seen, f"{name}/self_attention_layer_norm")
    inner = _dense(case, hidden, f"{name}/feedforward_intermediate_dense")
    inner = case.torch.nn.functional.gelu(inner, approximate="tanh")
    made = _dense(case, inner, f"{name}/feedforward_output_dense")
    return _normal(case, hidden + made, f"{name}/feedforward_layer_norm")


def _loss(case: Loaded, words: Any) -> Any:
    hidden = _entering(case, words)
    for at in range(int(case.arrays["blocks"])):
        hidden = _block(case, hidden, f"transformer_layer_{at}")
    pooled = _dense(case, hidden[:, 0], "pooled_dense").tanh()
    logits = _dense(case, pooled, "logits")
    return case.torch.nn.functional.cross_entropy(logits, case.arrays["labels"])


def _objective(case: Loaded, words: Any) -> Any:
    """The mean over tensors of 1 - cosine, and the prior on norms."""
    torch, held = case.torch, case.arrays
    free = held["free"][:, :, None]
    loss = _loss(case, free * words + (1 - free) * held["fixed"])
    every = list(case.weights.values())
    tensors = [every[at] for at in held["compared"]]
    found = torch.autograd.grad(loss, tensors, create_graph=True)
    total = torch.zeros(())
    for at, share, slope in zip(held["compared"], held["shares"], found, strict=True):
        if share:
            flat = slope.reshape(-1)
            total = total + share * (1 - flat @ held[f"unit{at}"] / flat.norm())
    norms = words.norm(dim=-1) * held["free"]
    mean = norms.sum() / held["free"].sum()
    return total + held["norm_weight"] * (mean / held["norm"] - 1) ** 2


def _step(case: Loaded) -> float:
    """One of Adam from the start; the objective before it."""
    words = case.arrays["starts"].clone().requires_grad_(True)
    optimiser = case.torch.optim.Adam([words], lr=float(case.arrays["rate"]))
    value = _objective(case, words)
    (words.grad,) = case.torch.autograd.grad(value, words)
    optimiser.step()
    return float(value.detach())


def _check(case: Loaded) -> float:
    """The mean log-distance of every token at every position to the span."""
    torch, held = case.torch, case.arrays
    table = case.weights["token_embedding/embeddings"]
    length = held["starts"].shape[1]
    step = max(1, _CHUNK // (length * table.shape[1]))
    parts = []
    with torch.no_grad():
        for at in range(0, len(table), step):
            words = table[at : at + step, None].expand(-1, length, -1)
            vectors = _entering(case, words).double()
            unit = vectors / vectors.norm(dim=-1, keepdim=True)
            inside = unit @ held["basis"]
            outside = (unit - inside @ held["basis"].T).norm(dim=-1)
            blur = (inside @ held["blur"].T).norm(dim=-1) / _ROUNDING
            far = (outside / blur.clamp(min=1)).clamp(min=_ROUNDING)
            parts.append(far.log())
    return float(torch.cat(parts).mean())


def _timed(
    evaluate: Callable[[Loaded], float], case: Loaded, request: Mapping[str, Any]
) -> dict[str, Any]:
    count = request["evaluations"]
    began, worked = time.perf_counter(), time.process_time()
    for _ in range(count):
        value = evaluate(case)
    return {
        "seconds": (time.perf_counter() - began) / count,
        "cpu_seconds": (time.process_time() - worked) / count,
        "value": value,
    }


def _memory(case: Loaded, request: Mapping[str, Any]) -> dict[str, Any]:
    del request
    peak = memory.of_call(lambda: [_step(case) for _ in range(memory.EVALUATIONS)])
    return {"peak_bytes": peak.peak_bytes}


_ANSWERS: Mapping[str, Callable[..., dict[str, Any]]] = MappingProxyType(
    {
        "step": functools.partial(_timed, _step),
        "check": functools.partial(_timed, _check),
        "memory": _memory,
    }
)


if __name__ == "__main__":
    torch_worker.serve(load, _step, _ANSWERS)
