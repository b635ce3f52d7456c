"""What masks tell by their positions: the label, read off nothing but the public mask."""

from collections.abc import Callable
from typing import NamedTuple, TextIO

import numpy as np
import tensorflow as tf

from attacks import mask_positions
from experiments.modalities.pictures import examples, loading
from experiments.outputs import text_tables
from experiments.study import masking
from experiments.study.flag_table import SettingsError
from experiments.study.settings import Settings
from federated.round import local_work
from selenc_tf.masks import agreement
from selenc_tf.models.functional import FunctionalModel


class Row(NamedTuple):
    """One metric at one ratio.

    Attributes:
      metric: The metric.
      encryption_ratio: m / n.
      pictures: How many gradients of one picture each.
      named: How many masks point to the true class.
      silent: How many masks point nowhere.
      chance: What guessing would give.
    """

    metric: str
    encryption_ratio: float
    pictures: int
    named: int
    silent: int
    chance: float


def run(settings: Settings, stream: TextIO) -> tuple[Row, ...]:
    """Counts how often the mask of a lone client names its label, and prints a table.

    Args:
      settings: Model, data, metrics, ratios, mask policy and number of pictures.
      stream: Where the table goes.

    Returns:
      The rows, by metric and ratio.
    """
    dataset, model, _ = loading.load(settings)
    if settings.attack.num_images > len(dataset):
        raise SettingsError(
            f"`--num_images` = {settings.attack.num_images} pictures, but {dataset.name} "
            f"has {len(dataset)}. Lower it."
        )
    masks = masking.of_run(settings)
    order = np.random.default_rng(settings.seed).permutation(len(dataset))
    pictures = order[: settings.attack.num_images]
    rows = []
    for metric in settings.masks.metrics:
        for ratio in settings.masks.ratios:
            chooser = _chooser(masks, metric, ratio, model)
            guesses = [
                mask_positions.labels_from_mask(
                    chooser(
                        dataset.examples[[row]],
                        examples.labels(model, dataset.labels[[row]]),
                    ),
                    model.spec,
                    model.num_classes,
                )
                for row in pictures
            ]
            named = sum(
                guess is not None
                and guess.informative
                and guess.classes[0] == dataset.labels[row]
                for guess, row in zip(guesses, pictures, strict=True)
            )
            silent = sum(guess is None or not guess.informative for guess in guesses)
            rows.append(
                Row(metric, ratio, len(pictures), named, silent, 1 / model.num_classes)
            )
    _print(rows, f"{dataset.name}, {model.name}, {settings.masks.policy}", stream)
    return tuple(rows)


def _chooser(
    masks: masking.Masking, metric: str, ratio: float, model: FunctionalModel
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """`(images [1, ...], labels [1]) -> mask`, as the client of the study makes it."""
    source = masking.lone_mask(masks, metric, ratio)

    @tf.function
    def choose(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        if not isinstance(source, agreement.OwnMask):
            mask, _ = source.mask(model.spec, source.init(model.spec))
            return mask
        batch = local_work.Batch(images, labels)
        own = local_work.gradient(model, model.initial_weights, batch)
        context = local_work.score_context(
            model, model.initial_weights, batch, own, source.seed
        )
        return agreement.own_mask(source, model.spec, context)

    def mask_of(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        found: np.ndarray = choose(tf.constant(images), tf.constant(labels)).numpy()
        return found

    return mask_of


def _print(rows: list[Row], title: str, stream: TextIO) -> None:
    cells = [
        (
            row.metric,
            f"{row.encryption_ratio:g}",
            str(row.pictures),
            f"{row.named / row.pictures:.0%}",
            f"{row.silent / row.pictures:.0%}",
            f"{row.chance:.0%}",
        )
        for row in rows
    ]
    headings = ("metric", "ratio", "pictures", "label named", "silent", "chance")
    text_tables.show(text_tables.Table(title, headings, cells), stream)
