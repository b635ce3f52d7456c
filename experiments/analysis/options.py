"""What an analysis is asked to do: the table of its flags, and its rules."""

import dataclasses
import math

from experiments.analysis import catalog
from experiments.outputs import run_directory
from experiments.study import flag_table, rules, run_folders, text_rules
from experiments.study.flag_table import at_least, flag, within
from experiments.study.settings import Federated, Grid, Messages, OutputSettings
from selenc_tf.validation import check_in, check_positive


def check_noise(name: str, text: str) -> None:
    """Raises ValueError if the text names no source of `catalog.NOISES`.

    A colon and the parameter follow the name of a source that has one.
    """
    source, parameter = parsed_noise(text)
    check_in(name, source, tuple(catalog.NOISES))
    if catalog.NOISES[source].parameter is None:
        if text != source:
            raise ValueError(f"`{name}={source}` takes no parameter, got {text!r}.")
    elif math.isnan(parameter):
        example = catalog.NOISES[source].parameter
        raise ValueError(
            f"`{name}={source}` takes a number behind a colon ({source}:{example}), got "
            f"{text!r}."
        )
    else:
        check_positive(f"{name}={source}", parameter)


def check_finite(name: str, value: float) -> None:
    """Raises ValueError if the value is NaN or infinite."""
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite, got {value}.")


def parsed_noise(text: str) -> tuple[str, float]:
    """The name and the parameter of a source; NaN, which is refused, for no number."""
    name, _, parameter = text.partition(":")
    try:
        return name, float(parameter)
    except ValueError:
        return name, math.nan


_NOISES = ", ".join(
    name if noise.parameter is None else f"{name}:{noise.parameter}"
    for name, noise in catalog.NOISES.items()
)


@dataclasses.dataclass(frozen=True)
class Options(Federated, Grid, Messages):
    """A whole analysis."""

    num_images: int = flag(
        "num_images",
        3,
        "Analysed gradients: one client and one batch each.",
        rule=at_least(1),
    )
    output: OutputSettings = OutputSettings()
    noise: tuple[str, ...] = flag(
        "noise",
        ("float32",),
        "Errors of the visible entries, combined (FACTOR of the root mean square of the "
        f"gradient). Any of: {_NOISES}.",
        rule=check_noise,
    )
    prior: str = flag(
        "prior",
        catalog.AUTO,
        "What attackers know of pictures beforehand, a Gaussian estimated from public "
        "ones: the prediction is for who knows this. auto is dct for pictures and "
        "isotropic for other numbers.",
        choices=(catalog.AUTO, *catalog.PRIORS),
    )
    prior_images: int = flag(
        "prior_images",
        1000,
        "Public pictures of the data set, other than the analysed ones, from which the "
        "prior is estimated, at most.",
        rule=at_least(1),
    )
    psnr_threshold_db: float = flag(
        "psnr_threshold_db",
        20.0,
        "A predicted PSNR below this counts as a threshold.",
        rule=check_finite,
    )
    threshold_tolerance: float = flag(
        "threshold_tolerance",
        0.005,
        "Width of brackets of thresholds, as a share of the parameters.",
        rule=within(1e-12, 1.0),
    )
    rank_threshold: float = flag(
        "rank_threshold",
        1e-10,
        "Smallest singular value that is not zero, over s_1.",
        rule=check_positive,
    )
    method: str = flag(
        "method",
        catalog.EXACT,
        "exact keeps the Jacobian, n x d numbers; sketch sums its rows at random while "
        "it is computed, 4 d x d numbers for each ratio, within 0.1 dB or so.",
        choices=catalog.METHODS,
    )
    max_memory_gb: float = flag(
        "max_memory_gb",
        3.0,
        "What the Jacobian, or its sketches, may take.",
        rule=check_positive,
        neutral=True,
    )

    @property
    def rising_ratios(self) -> tuple[float, ...]:
        """The encryption ratios in order."""
        return tuple(sorted(self.ratios))


def check(asked: Options) -> None:
    """Checks flags and folder; light, so that a refusal does not wait for TensorFlow.

    Raises:
      ValueError: If they cannot be used.
    """
    flag_table.check(asked, rules.subject, text_rules.without_text, rules.federation)
    if asked.output.run_name:
        run_directory.check_name(asked.output.run_name)
    run_directory.check_place(
        run_folders.of_analysis(asked, asked.output),
        flag_table.as_dict(asked),
        flag_table.neutral(asked),
        flag_table.as_dict(type(asked)()),
    )
