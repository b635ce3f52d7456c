"""`activation_signs` for pictures, whose power falls with frequency."""

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.features import activation_signs
from attacks.pictures.priors import frequencies


def build_activation_signs_dct(
    *, source: target_lib.Source = 0
) -> knowledge_lib.Attack:
    """Builds the attack with the prior of `frequencies.dct_prior_of`.

    A thousand signs are about a thousand bits, so that the prior decides most.

    Args:
      source: One client's message by its index, or "aggregate".

    Returns:
      The attack, as `activation_signs.build_activation_signs`.
    """
    return activation_signs.build_activation_signs(
        source=source, prior_of=frequencies.dct_prior_of
    )
