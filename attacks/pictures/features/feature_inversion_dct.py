"""`feature_inversion` for pictures, whose power falls with frequency."""

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.features import feature_inversion
from attacks.pictures.priors import frequencies

_DEFAULT_EFFORT = effort_lib.Effort(restarts=1, max_iterations=60)


def build_feature_inversion_dct(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack with the prior of `frequencies.dct_prior_of`.

    Where the features are fewer than the pixels the prior decides the rest: of a LeNet's
    768 features of a colour picture that is worth 10 dB and more.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: See `feature_inversion.build_feature_inversion`.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack, as `feature_inversion.build_feature_inversion`.
    """
    return feature_inversion.build_feature_inversion(
        source=source,
        prior_of=frequencies.dct_prior_of,
        effort=effort,
        programs=programs,
    )
