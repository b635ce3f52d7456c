"""The search for an example by signs, tried on public ones.

How cold it should end, how much its end and the mean of a walk from there are worth, and
what the numbers are that it finds, shows where the truth is known: for some public
examples, which the rest of the search does without, by the signs of the same units.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize

from attacks.continuous.features import (
    calibration,
    logit_prior,
    sign_energy,
    sign_samples,
    sign_search,
)
from attacks.structure import rectified
from selenc_tf.models import functional
from selenc_tf.types import Seed

_COLDEST = (0.025, 0.05)
"""t at the end (`sign_energy.py`): on digits and the FedAvg CNN colder ends gained nothing,
and warmer ones lost."""
_PLAYS = 4
_NEAREST = 5
"""Public examples whose mean is where a search begins."""
_PART_OF_THE_WAY = 0.7
"""From the mean of all to theirs."""
_CHUNK = 100
_AT_ZERO = 2.0
"""`sign_energy.Signs.tolerance` of units that, silent, mostly are at zero itself."""
_SEEDS = 2**31 - 2**20
"""Below it seeds and steps together are int32."""


class Programs(NamedTuple):
    """What is compiled for a model."""

    found: rectified.Rectified
    search: sign_search.Search
    walk: sign_samples.Walk


def build(model: functional.FunctionalModel) -> Programs:
    """Compiles what searches for a model's examples.

    Args:
      model: The model.

    Returns:
      Its units and the programs.

    Raises:
      DoesNotApply: As `rectified.find`.
    """
    found = rectified.find(model)
    slope = sign_energy.slope_of(model, found)
    return Programs(found, sign_search.build(slope), sign_samples.build(slope))


def search(
    programs: Programs,
    weights: tuple[np.ndarray, ...],
    public: np.ndarray,
    signs: tuple[np.ndarray, ...],
    steps: int,
    seed: Seed,
) -> tuple[np.ndarray, np.ndarray]:
    """Searches for the example, and for some public ones to learn how.

    Runs on: attacker. Sees: the weights, the signs and its public examples.

    Args:
      programs: Of the model.
      weights: Of the round, float32.
      public: float32 [n, *input_shape] in [0, 1], n >= 4.
      signs: int8 [units] for each group of the model's units; 0 where not known.
      steps: Of the search, and of the walk.
      seed: Of the choice among public examples, and of the walk.

    Returns:
      The example, float64 [d], and the indices of the public ones that have most signs in
      common with it.
    """
    found = programs.found
    outputs = _outputs(found, weights, public)
    known = outputs.signs(signs)
    order = np.random.default_rng(seed).permutation(len(public))
    plays, rest = np.split(order, [min(_PLAYS, len(public) // 4)])
    prior = logit_prior.fit(public[rest])
    logits = logit_prior.logits(public)
    # The victim last.
    wanted = tuple(
        np.vstack([own[plays], victim[np.newaxis]])
        for own, victim in zip(known, signs, strict=True)
    )
    nearest = [rest[near] for near in _nearest([one[rest] for one in known], wanted)]
    starts = _PART_OF_THE_WAY * np.stack(
        [logits[near].mean(axis=0) - prior.mean for near in nearest]
    )
    copies = len(_COLDEST)
    problem = sign_energy.problem(
        weights,
        prior,
        tuple(
            sign_energy.Signs(
                np.repeat(one, copies, axis=0),
                _scale(values[rest], units.channels),
                _tolerance(values[rest]),
            )
            for one, values, units in zip(
                wanted, outputs.groups, found.units, strict=True
            )
        ),
    )
    begin = np.repeat(starts @ prior.inverse, copies, axis=0)
    t = tf.constant(np.tile(_COLDEST, len(starts))[:, np.newaxis], tf.float32)
    ends = programs.search(
        problem, tf.constant(begin, tf.float32), t, tf.constant(steps)
    )
    drawn = tf.constant(np.mod(seed, _SEEDS), tf.int32)
    means = programs.walk(problem, ends, t, tf.constant(steps), drawn)
    examples = np.concatenate(
        [
            one.numpy().astype(np.float64).reshape(len(starts), copies, -1)
            for one in (sign_energy.examples(problem, ends), means)
        ],
        axis=1,
    )
    true = public[plays].reshape(len(plays), -1).astype(np.float64)
    return _combined(examples[:-1], true, examples[-1]), nearest[-1]


class _Outputs(NamedTuple):
    """What enters the ReLUs of public examples, float32 [n, units] for each group."""

    groups: tuple[np.ndarray, ...]

    def signs(self, known: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """int8 [n, units] each, where those of the victim are known, else 0."""
        return tuple(
            np.where(one > 0, 1, -1).astype(np.int8) * (victim != 0)
            for one, victim in zip(self.groups, known, strict=True)
        )


def _outputs(
    found: rectified.Rectified, weights: tuple[np.ndarray, ...], examples: np.ndarray
) -> _Outputs:
    tensors = tuple(tf.constant(one) for one in weights)
    parts = [
        found.outputs(tensors, tf.constant(examples[at : at + _CHUNK], tf.float32))
        for at in range(0, len(examples), _CHUNK)
    ]
    return _Outputs(
        tuple(
            np.concatenate([one.numpy() for one in group])
            for group in zip(*parts, strict=True)
        )
    )


def _combined(played: np.ndarray, true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """What several ways say together, each by how far it is right.

    The weights are least squares without negative ones (Breiman, "Stacked Regressions",
    Machine Learning 1996).

    Args:
      played: float64 [p, ways, d], what they made of examples that are known.
      true: float64 [p, d], these.
      found: float64 [ways, d], what they made of the victim's.

    Returns:
      float64 [d].
    """
    fits = [calibration.fit(played[:, way], true) for way in range(len(found))]
    usual = [fit(played[:, way]).ravel() for way, fit in enumerate(fits)]
    weights, _ = optimize.nnls(np.stack(usual, axis=1), true.ravel())
    own = np.stack([fit(found[way]) for way, fit in enumerate(fits)])
    combined: np.ndarray = weights @ own
    return combined


def _nearest(
    known: Sequence[np.ndarray], wanted: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The examples with most signs in common, for each that is wanted."""
    common = sum(
        own.astype(np.float32) @ other.astype(np.float32).T
        for own, other in zip(known, wanted, strict=True)
    )
    return [np.argsort(-one, kind="stable")[:_NEAREST] for one in np.asarray(common).T]


def _scale(values: np.ndarray, channels: int) -> np.ndarray:
    """How much units vary, those of the same weights alike, float32 [units]."""
    units = values.shape[1]
    if units % channels:
        channels = units
    spread = values.reshape(-1, channels).std(axis=0, dtype=np.float64)
    spread = np.maximum(spread, 1e-3 * float(np.max(spread)) + 1e-12)
    return np.tile(spread, units // channels).astype(np.float32)


def _tolerance(values: np.ndarray) -> float:
    """Without biases what sees a background of zeros is zero itself, and silent."""
    silent = int(np.count_nonzero(values <= 0))
    at_zero = int(np.count_nonzero(values == 0))
    return _AT_ZERO if at_zero > 0.1 * silent else 0.0
