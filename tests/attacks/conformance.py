"""What every attack has to do, on whatever examples: shared by the tests of modalities."""

import numpy as np

from tests.attacks import victims


def check_hidden_entries_are_never_read(
    attack, known, model, gradients, mask, aggregate=None, seed=(1, 2)
):
    """NaN in what is hidden changes no bit; so the bits are the same from run to run too.

    Args:
      attack: Built.
      known: Its knowledge.
      model: The attacked one.
      gradients: What each client sends, float32 [n].
      mask: bool [n], True where hidden.
      aggregate: What is published, whose hidden part is no secret; or None.
      seed: Of the attack.

    Returns:
      What the attack hands back.
    """
    garbage = [np.where(mask, np.float32(np.nan), vector) for vector in gradients]
    first, second = (
        attack(victims.view_of(model, each, mask, aggregate), known, seed)
        for each in (gradients, garbage)
    )
    np.testing.assert_array_equal(first.examples, second.examples)
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_equal(first.objective, second.objective)
    return first
