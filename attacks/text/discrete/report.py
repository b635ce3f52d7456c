"""What discrete attacks hand back."""

import dataclasses
import time
from typing import Any

import numpy as np

from attacks import criterion
from attacks import target as target_lib
from attacks.knowledge import AnyKnowledge, Reconstruction
from attacks.text.discrete import tensors
from attacks.text.discrete.picking import Picked
from federated import views

_VERIFIED = 1e-8
"""A typical relative squared error that no other batch has."""


def report(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: AnyKnowledge,
    picked: Picked,
    label_source: str,
    compared: int,
    began: float,
) -> Reconstruction:
    """Makes the reconstruction, with the error of its own gradient.

    Args:
      view: For the weights.
      target: The gradient.
      knowledge: With the model.
      picked: The batch.
      label_source: As `Reconstruction` has it.
      compared: Sentences that were scored.
      began: `time.monotonic()` at the start.

    Returns:
      The reconstruction. It is `converged`, and its `stop` is "closed_form", if the
      batch explains what the attack takes for known, tensor by tensor.
    """
    known: Any = dataclasses.replace(target, visible=target.matched)
    error = criterion.visible_error(
        knowledge.model, view.weights, known, knowledge, picked.examples, picked.labels
    )
    guess = knowledge.modality.message(
        knowledge.model, view.weights, picked.examples, picked.labels, None
    )
    typical = tensors.typical_error(np.asarray(guess), target, knowledge.model.spec)
    verified = bool(np.isfinite(error) and typical <= _VERIFIED)
    return Reconstruction(
        examples=picked.examples,
        labels=picked.labels,
        label_source=label_source,
        objective=error,
        start_objectives=(error,),
        iterations=1,
        evaluations=compared,
        seconds=time.monotonic() - began,
        converged=verified,
        stop="closed_form" if verified else "inconsistent",
        matched_entries=int(np.count_nonzero(target.matched)),
    )
