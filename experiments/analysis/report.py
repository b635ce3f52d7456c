"""What an analysis leaves behind: CSV, a text for people and a figure."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TextIO

from experiments.analysis import catalog
from experiments.analysis.figure import figure
from experiments.analysis.results import CRITERIA, IDENTIFIABILITY, PSNR, Analysed
from experiments.analysis.summary import by_mask, median_bracket
from experiments.outputs import environment, figures, files, text_tables
from experiments.outputs.text_tables import Table, spread
from selenc_tf.distance.predict import Prediction

CSV, TEXT, FIGURE = "analysis.csv", "analysis.md", "analysis.png"

_CRITERIA: Mapping[str, str] = {
    IDENTIFIABILITY: "a direction of the input is lost",
    PSNR: "predicted PSNR below {:g} dB",
}


class Heading(NamedTuple):
    """What all results of an analysis share.

    Attributes:
      model: With its number of parameters.
      dataset: What the data really is.
      noise: As the flag says it.
      prior: Its name and variance.
      assumed: For whom the prediction is, in words.
      prior_psnr_db: Of an attacker who knows nothing but the prior.
      psnr_threshold_db: Of the criterion "psnr".
    """

    model: str
    dataset: str
    noise: str
    prior: str
    assumed: str
    prior_psnr_db: float
    psnr_threshold_db: float

    @property
    def title(self) -> str:
        """One line."""
        return (
            f"{self.model}, {self.dataset}, error of visible entries: {self.noise}, "
            f"prior: {self.prior}"
        )


def assumed(prior: str, pictures: int) -> str:
    """For whom a prediction is, in words that stand beside it.

    Args:
      prior: A name of `catalog.PRIORS`.
      pictures: From how many the prior is estimated.

    Returns:
      Sentences.
    """
    return (
        "The prediction is for attackers who know of the inputs no more than this Gaussian "
        f"prior: {prior}, {catalog.PRIORS[prior].about}, estimated from {pictures:,} "
        "public examples. It takes the gradient as linear near the true input, labels "
        "as known, and nothing as learned from where the mask is. Those who also know "
        "that numbers lie in [0, 1] are granted the inputs that lie exactly at 0 or 1; "
        "without the box, the number is for who knows the prior alone. Of one example it "
        "is no bound: only the mean over all examples has one. Attackers who know "
        "more, of the data or of the network, go past it: attack before you call a mask "
        "protection."
    )


def publish(
    folder: pathlib.Path,
    heading: Heading,
    results: Sequence[Analysed],
    command: str,
    stream: TextIO,
) -> None:
    """Writes CSV, text and figure anew, each whole or not at all, and prints tables.

    Args:
      folder: Of the analysis.
      heading: What all results share.
      results: Of the finished gradients.
      command: What made them.
      stream: Where the tables go.
    """
    files.write_atomically(folder / CSV, _to_csv(results).encode())
    if not results:
        return
    made = tables(heading, results)
    text = [
        f"# {heading.title}\n\n```\n{command}\n```\n",
        f"{len(results)} gradient(s) of {len(results[0].pictures)} picture(s); "
        "more than one: median (min, max). The prior alone gives "
        f"{heading.prior_psnr_db:.1f} dB.\n",
        f"{heading.assumed}\n",
        *(text_tables.to_markdown(table) for table in made),
        f"{environment.in_words(environment.describe())}; "
        f"{sum(each.seconds for each in results):.0f} s of work.\n",
    ]
    files.write_atomically(folder / TEXT, "\n".join(text).encode())
    title = f"Predicted leakage\n{heading.model}, {heading.dataset}"
    png = figures.to_png(figure(title, heading.prior_psnr_db, results))
    files.write_atomically(folder / FIGURE, png)
    print(f"{heading.title}\n{heading.assumed}", file=stream)
    for table in made:
        text_tables.show(table, stream)


def _to_csv(results: Sequence[Analysed]) -> str:
    """One row for each gradient, metric and ratio, with its metric's thresholds."""
    ends = [
        f"{criterion}_threshold_{end}"
        for criterion in CRITERIA
        for end in ("low", "high")
    ]
    names = ("pictures", "metric", "asked_ratio", *Prediction._fields, "identifiable")
    lines: list[tuple[object, ...]] = [(*names, *ends)]
    for analysed in results:
        brackets = {
            (found.metric, found.criterion): (found.low, found.high)
            for found in analysed.thresholds
        }
        pictures = " ".join(map(str, analysed.pictures))
        for row in analysed.rows:
            found = [end for each in CRITERIA for end in brackets[row.metric, each]]
            numbers = (*row.prediction, row.prediction.identifiable, *found)
            lines.append((pictures, row.metric, row.asked_ratio, *numbers))
    return text_tables.to_csv(lines)


def tables(heading: Heading, results: Sequence[Analysed]) -> tuple[Table, Table]:
    """What leaks at each mask, and where the predictions say that less is determined.

    Args:
      heading: What all results share.
      results: Of the finished gradients, at least one.

    Returns:
      Both tables.
    """
    leakage = Table(
        "",
        (
            "encrypted",
            "metric",
            "zero-fill cosine",
            "rank",
            "degrees of freedom",
            "predicted PSNR, dB",
            "without the box, dB",
        ),
        [_cells(*mask, found) for mask, found in by_mask(results).items()],
    )
    thresholds = Table(
        "",
        ("metric", "predicted, not attacked", "from which ratio on, bracket"),
        [
            (
                metric,
                _CRITERIA[criterion].format(heading.psnr_threshold_db),
                _reached(heading, results, metric, criterion),
            )
            for metric, criterion in dict.fromkeys(
                (found.metric, found.criterion)
                for analysed in results
                for found in analysed.thresholds
            )
        ],
    )
    return leakage, thresholds


def _cells(ratio: float, metric: str, found: Sequence[Prediction]) -> tuple[str, ...]:
    ranks = spread([each.rank for each in found], ".0f")
    return (
        f"{100 * ratio:g} %",
        metric,
        spread([each.zero_fill_cosine for each in found], ".3f"),
        f"{ranks} of {found[0].unknowns}",
        spread([each.degrees_of_freedom for each in found], ".0f"),
        spread([each.psnr_bound_db for each in found], ".1f"),
        spread([each.psnr_without_box_db for each in found], ".1f"),
    )


def _reached(
    heading: Heading, results: Sequence[Analysed], metric: str, criterion: str
) -> str:
    """From where on a criterion holds; where it never does, why that is."""
    low, high = median_bracket(results, metric, criterion)
    if criterion != PSNR or not math.isinf(high):
        return _bracket(low, high)
    # Nothing can hide what is known beforehand.
    if heading.prior_psnr_db >= heading.psnr_threshold_db:
        return f"never: the prior alone gives {heading.prior_psnr_db:.1f} dB"
    return (
        "never: with everything hidden who is granted the numbers at exactly 0 or 1 has "
        f"more, without them {heading.prior_psnr_db:.1f} dB"
    )


def _bracket(low: float, high: float) -> str:
    if math.isinf(high):
        return "at no ratio up to 100 %"
    if high == 0.0:
        return "always"
    return f"{100 * low:.2f} to {100 * high:.2f} %"
