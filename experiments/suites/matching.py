"""One evaluation of the attack's objective: as a plain graph, and under XLA."""

import functools

import numpy as np
import tensorflow as tf

from attacks.matching import matching, objectives
from experiments.modalities.pictures import examples, loading
from experiments.study.flag_table import SettingsError
from experiments.study.settings import Settings
from experiments.suites import measurement
from experiments.suites.measurement import Measurement

_EVALUATIONS = 20
"""Of each side before the other has its turn."""


def run(settings: Settings, repetitions: int) -> tuple[Measurement, ...]:
    """Times the objective and its gradient by the pixels of one batch.

    Args:
      settings: Model, data and `--attack_batch_size`.
      repetitions: Turns of each side, `_EVALUATIONS` evaluations each.

    Returns:
      Seconds of one evaluation, the plain graph first.
    """
    dataset, model, _ = loading.load(settings)
    size = settings.attack.batch_size
    if size > len(dataset):
        raise SettingsError(
            f"`--attack_batch_size` = {size} pictures, but {dataset.name} has "
            f"{len(dataset)}. Lower it."
        )
    images = tf.constant(dataset.examples[:size], tf.float64)
    labels = tf.constant(examples.targets(model, dataset.labels[:size]), tf.float64)
    generator = np.random.default_rng(settings.seed)
    target = generator.normal(size=model.spec.size)
    visible = np.ones(model.spec.size, np.bool_)
    observed = matching.Observed(
        weights=tuple(tf.cast(weight, tf.float64) for weight in model.initial_weights),
        target=tf.constant(target),
        entry_weights=tf.constant(objectives.normalised_weights(target, visible)),
        shares=tf.ones([1], tf.float64),
    )
    sides = {
        "plain graph": matching.build_matching(model),
        "XLA": matching.build_matching(model, jit_compile=True),
    }

    def evaluate(side: matching.Matching) -> None:
        for _ in range(_EVALUATIONS):
            value, gradient = side.known_labels(observed, (size,), images, labels)
            _ = float(value), gradient.numpy()

    work = {name: functools.partial(evaluate, side) for name, side in sides.items()}
    return tuple(
        item._replace(seconds=tuple(taken / _EVALUATIONS for taken in item.seconds))
        for item in measurement.in_turn(work, repetitions)
    )
