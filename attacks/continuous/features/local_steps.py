"""What examples send after several local steps, and how far it is from one gradient.

A client's message is a sum over its steps t, at weights w_t that move. For a dense layer

    U = sum_t sum_n h_n(w_t) d_n(t)^T.

The derivatives d change a lot from step to step, the layer's inputs h little, and a
reading needs the inputs only. At the mean w of the weights, each step counting as much as
its derivatives do, they are the mean inputs but for the square of their movement. So

    U - sum_t sum_n (h_n(w_t) - h_n(w)) d_n(t)^T = sum_n h_n(w) (sum_t d_n(t))^T

is read like one gradient at w, and what is taken off needs to be known only roughly: as a
guess of the examples makes it. The other layers' sums of gradients are taken for a multiple
of the gradient at w, but for what the guess deviates from that.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.features import slopes as slopes_lib
from attacks.matching import matching
from attacks.structure import cut as cut_lib
from selenc_tf.models import functional, local_steps
from selenc_tf.types import Vector, Weights


class Client(NamedTuple):
    """How a client trains, as the attacker knows it.

    Attributes:
      model: The model.
      cuts: Its cuts.
      weights: Before the first step, float64.
      training: The steps.
      size: Its number of examples.
      programs: What is compiled already.
    """

    model: functional.FunctionalModel
    cuts: tuple[cut_lib.Cut, ...]
    weights: Weights
    training: local_steps.LocalTraining
    size: int
    programs: programs_lib.Programs

    @property
    def steps(self) -> int:
        """The gradients that its message is the sum of."""
        return local_steps.num_steps(self.training, self.size)

    @property
    def batches(self) -> list[slice]:
        """The examples of each step."""
        each = self.training.batch_size or self.size
        starts = itertools.cycle(range(0, self.size, each))
        return [
            slice(start, min(start + each, self.size))
            for start in itertools.islice(starts, self.steps)
        ]


class Simulated(NamedTuple):
    """What examples send, each part as a mean over the steps.

    Attributes:
      update: float64 [n].
      mean: The mean weights of the path that ends where the client's ended.
      led: float64 [n], the mean gradient along that path.
      at_mean: float64 [n], the gradient at `mean`.
      moved: For each cut float64 [f, u], the part of `led` that the movement of the
        layer's inputs makes.
    """

    update: np.ndarray
    mean: Weights
    led: np.ndarray
    at_mean: np.ndarray
    moved: tuple[np.ndarray, ...]


def build_gradient(
    model: functional.FunctionalModel,
) -> Callable[[Weights, tf.Tensor, tf.Tensor], Vector]:
    """Compiles a batch's gradient in float64.

    Args:
      model: The model.

    Returns:
      `(weights, images, labels [b, c]) -> [n]`.
    """
    double = functional.in_float64(model)

    @tf.function(autograph=False, reduce_retracing=True)
    def gradient(weights: Weights, images: tf.Tensor, labels: tf.Tensor) -> Vector:
        return functional.gradient(double, weights, images, labels)

    return gradient


def simulate(
    client: Client, images: np.ndarray, labels: np.ndarray, target: target_lib.Target
) -> Simulated:
    """Trains on a guess, as the client does on its examples.

    Runs on: attacker. Sees: its candidates, and where the client's weights ended as far
    as the message shows it.

    Args:
      client: How it trains.
      images: float64 [b, *input_shape], in the order in which they are taken.
      labels: int64 [b].
      target: The message.

    Returns:
      What it sends.
    """
    run = client.programs.of(build_gradient, client.model)
    told = matching.as_targets(client.model, labels, tf.float64)
    inputs = tf.constant(images, tf.float64)
    rate, steps = client.training.learning_rate, client.steps

    def gradient(at: Weights, part: slice) -> np.ndarray:
        found: np.ndarray = run(at, inputs[part], told[part]).numpy()
        return found

    free, at = [], client.weights
    for part in client.batches:
        free.append(gradient(at, part))
        at = _moved(client.model, at, rate * free[-1])
    update = np.sum(free, axis=0) / steps
    wanted = target.vector.astype(np.float64) / steps
    off = np.where(target.visible, wanted - update, 0.0) * steps
    slopes, path, at = [], [], client.weights
    for part, way in zip(client.batches, _led(client.model, free, off), strict=True):
        path.append(at)
        slopes.append(gradient(at, part) / steps)
        at = _moved(client.model, at, rate * way)
    mean = _mean(path, [one[client.cuts[0].layer.kernel] for one in slopes])
    moved = tuple(
        _inputs_moved(client, one, mean, path, inputs, told) for one in client.cuts
    )
    return Simulated(
        update=update,
        mean=mean,
        led=np.sum(slopes, axis=0),
        at_mean=gradient(mean, slice(None)),
        moved=moved,
    )


def standing(
    client: Client, target: target_lib.Target, simulated: Simulated | None
) -> tuple[target_lib.Target, Weights]:
    """The message as one gradient.

    Args:
      client: How it trains.
      target: The message.
      simulated: By the present guess; None for none.

    Returns:
      A target and the weights that it is of. Its dense layers' inputs are those at these
      weights, their derivatives the means over the steps.
    """
    seen = target.visible
    vector = np.where(seen, target.vector, 0.0).astype(np.float64) / client.steps
    if simulated is None:
        # Half of the way: steps that are all alike.
        rate = client.training.learning_rate * (client.steps - 1) / 2
        mean = _moved(client.model, client.weights, rate * vector)
    else:
        mean = simulated.mean
        dense = np.zeros(vector.size, np.bool_)
        for cut, moved in zip(client.cuts, simulated.moved, strict=True):
            vector[cut.layer.kernel] -= moved.ravel()
            dense[cut.layer.kernel] = dense[cut.layer.bias or slice(0)] = True
        for part in _parts(client.model):
            at, led = simulated.at_mean[part], simulated.led[part]
            share = float(at @ led) / max(float(at @ at), 1e-300)
            if share > 0 and not dense[part].any():
                vector[part] = (vector[part] - led) / share + at
    return target_lib.Target(
        vector=np.where(seen, vector, 0.0).astype(np.float32),
        visible=seen,
        matched=target.matched,
        sizes=target.sizes,
        shares=target.shares,
        penalty=target.penalty,
    ), mean


def misfit(client: Client, target: target_lib.Target, update: np.ndarray) -> float:
    """Squared error of a simulated message on the visible entries, relative.

    Args:
      client: How it trains.
      target: The message.
      update: float64 [n], `Simulated.update`.

    Returns:
      The error, about 1e-14 for the true examples.
    """
    seen = target.visible
    wanted = target.vector[seen].astype(np.float64) / client.steps
    error = float(np.sum(np.square(update[seen] - wanted)))
    return error / max(float(np.sum(np.square(wanted))), 1e-300)


def _parts(model: functional.FunctionalModel) -> list[slice]:
    ends = [int(end) for end in np.cumsum(model.spec.sizes)]
    return [slice(*ends_) for ends_ in itertools.pairwise([0, *ends])]


def _moved(
    model: functional.FunctionalModel, weights: Weights, change: np.ndarray
) -> Weights:
    return tuple(
        tensor - change[part].reshape(tensor.shape)
        for tensor, part in zip(weights, _parts(model), strict=True)
    )


def _led(
    model: functional.FunctionalModel, steps: Sequence[np.ndarray], off: np.ndarray
) -> list[np.ndarray]:
    """Steps that end where the client's ended: what is off shared out in each tensor."""
    whole, found = np.sum(steps, axis=0), [one.copy() for one in steps]
    for part in _parts(model):
        size = max(float(whole[part] @ whole[part]), 1e-300)
        for one, made in zip(steps, found, strict=True):
            made[part] += float(one[part] @ whole[part]) / size * off[part]
    return found


def _mean(path: Sequence[Weights], slopes: Sequence[np.ndarray]) -> Weights:
    """The weights of a path, each counting as its step does in a layer's gradient."""
    total = np.sum(slopes, axis=0)
    size = max(float(total @ total), 1e-300)
    shares = [float(one @ total) / size for one in slopes]
    return tuple(
        tf.add_n([share * one for share, one in zip(shares, tensors, strict=True)])
        for tensors in zip(*path, strict=True)
    )


def _inputs_moved(
    client: Client,
    cut: cut_lib.Cut,
    mean: Weights,
    path: Sequence[Weights],
    inputs: tf.Tensor,
    told: tf.Tensor,
) -> np.ndarray:
    """`Simulated.moved` of a cut."""
    found = np.zeros((cut.layer.features, cut.layer.units))
    if cut.after is None:
        return found
    derivative = client.programs.of(
        slopes_lib.build, cut.after, client.model.kind
    ).slopes
    still = cut.below(mean, inputs)
    for at, part in zip(path, client.batches, strict=True):
        features = cut.below(at, inputs[part])
        own = derivative(at, cut.into(at, features), told[part])
        product = tf.matmul(features - still[part], own, transpose_a=True)
        found += product.numpy() / (int(own.shape[0]) * len(path))
    return found
