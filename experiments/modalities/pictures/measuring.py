"""Reconstructed pictures, or rows of a table, against the true ones."""

from typing import Any

import numpy as np

from attacks.knowledge import Reconstruction
from attacks.metrics import evaluation
from experiments.modalities.pictures import columns, examples, metrics
from experiments.outputs import columns as columns_read
from experiments.outputs.pictures.leaks import WIDE_ROW
from experiments.study.modality import Measured, MemberMeasured, Victims


def measure(victims: Victims, found: Reconstruction) -> list[Measured]:
    """Measures a batch.

    Runs on: the experiment. Sees: the truth.

    Args:
      victims: What was attacked.
      found: What the attack returned.

    Returns:
      Of each true example, in the order of the rows.
    """
    truth = _truth(victims)
    leaks = evaluation.evaluate(found, truth)
    matched = found.examples[[leak.reconstruction_index for leak in leaks]]
    further = metrics.measure(
        victims.model,
        victims.weights,
        matched,
        truth.images,
        truth.labels,
        metrics.references(victims.dataset),
    )
    return [
        _measured(victims, found, leak, more, image)
        for leak, more, image in zip(leaks, further, matched, strict=True)
    ]


def measure_member(victims: Victims, found: Reconstruction) -> list[MemberMeasured]:
    """PSNR, SSIM, label and columns of each true example, for one of several attacks."""
    told = found.label_source == "known"
    return [
        MemberMeasured(
            {"psnr_db": leak.psnr, "ssim": leak.ssim},
            None if told else leak.label_correct,
            _columns(
                victims,
                victims.rows[leak.true_index],
                found.examples[leak.reconstruction_index],
            ),
        )
        for leak in evaluation.evaluate(found, _truth(victims))
    ]


def _truth(victims: Victims) -> evaluation.Truth:
    rows, dataset = list(victims.rows), victims.dataset
    return evaluation.Truth(
        dataset.examples[rows],
        examples.truth(victims.model, dataset.labels[rows]),
        victims.tolerance,
    )


def _measured(
    victims: Victims,
    found: Reconstruction,
    leak: evaluation.PictureLeakage,
    more: metrics.PictureMetrics,
    image: np.ndarray,
) -> Measured:
    told = found.label_source == "known"
    named = not told and found.labels.ndim == 1
    measures = {
        "mse": leak.mse,
        "psnr_db": leak.psnr,
        "ssim": leak.ssim if image.ndim == 3 else None,
        **more._asdict(),
    }
    return Measured(
        example=np.asarray(image, np.float32),
        measures={name: value for name, value in measures.items() if value is not None},
        recovered_label=int(found.labels[leak.reconstruction_index]) if named else None,
        label_correct=None if told else leak.label_correct,
        details={
            "references": min(len(victims.dataset), metrics.MAX_REFERENCES),
            **_features(victims, victims.rows[leak.true_index], image),
        },
    )


def _features(victims: Victims, row: int, found: np.ndarray) -> dict[str, Any]:
    """How far off each feature of a row is, and which are read, if not too many."""
    truth, units = victims.dataset.examples[row], victims.model.value_range
    if truth.ndim != 1:
        return {}
    if len(truth) > columns.MAX_FEATURES:
        return {WIDE_ROW: True}
    errors = np.abs(units.from_unit(found) - units.from_unit(truth))
    return {
        "feature_errors": [float(error) for error in errors],
        **_columns(victims, row, found),
    }


def _columns(victims: Victims, row: int, found: np.ndarray) -> dict[str, Any]:
    """Which columns of a row are read; nothing of pictures, or of too many."""
    truth = victims.dataset.examples[row]
    if truth.ndim != 1 or len(truth) > columns.MAX_FEATURES:
        return {}
    right = columns.read(victims.model, victims.dataset, row, found)
    return columns_read.details(right, columns.at_a_level(victims.dataset, found))
