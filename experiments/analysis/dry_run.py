"""What an analysis would do and take, found out without doing it."""

import time
from collections.abc import Iterator

import numpy as np

from experiments.analysis import report as report_lib
from experiments.analysis.inputs import Inputs
from experiments.analysis.options import Options
from experiments.modalities.pictures import examples
from experiments.study import dry_run
from experiments.study.modality import Studied
from selenc_tf.masks import policy


def report(asked: Options, loaded: Inputs) -> Iterator[str]:
    """What an analysis would do, line by line.

    Args:
      asked: Checked options.
      loaded: The study and its batches.

    Yields:
      Lines for people.
    """
    made = loaded.study
    yield from dry_run.subject(asked, Studied(made.dataset, made.model, loaded.facts))
    if loaded.weights_note:
        yield loaded.weights_note
    yield report_lib.assumed(made.prior.name, len(made.public))
    rows = list(loaded.batches[0])
    images = made.dataset.examples[rows]
    labels = examples.targets(made.model, made.dataset.labels[rows])
    spec = made.model.spec
    for metric in asked.metrics:
        try:
            began = time.perf_counter()
            scores = made.score(metric, images, labels)
            seconds = time.perf_counter() - began
        except ValueError as error:
            yield f"Metric {metric}: does not apply: {error}"
            continue
        ratio = next((each for each in asked.ratios if each > 0), asked.ratios[0])
        hidden = policy.hidden_count(ratio, spec.size)
        order = np.argsort(-scores, kind="stable")[:hidden]
        yield (
            f"Metric {metric}: applies, {seconds:.1f} s to score. Hidden at ratio "
            f"{ratio:g}: {hidden:,} of {spec.size:,}"
        )
        ends = np.cumsum(spec.sizes)
        counts = np.bincount(
            np.searchsorted(ends, order, side="right"), minlength=len(ends)
        )
        for name, size, count in zip(spec.names, spec.sizes, counts, strict=True):
            yield f"  {name}: {int(count):,} of {size:,}"
    unknowns = asked.batch_size * int(np.prod(made.model.input_shape))
    yield (
        f"Work: {len(loaded.batches)} gradient(s), each with a Jacobian of {spec.size:,} "
        f"by {unknowns:,}. Nothing was done (--dry_run)."
    )
