"""The label rules by name, and the batches of classes that they leave to try."""

import itertools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from attacks import target as target_lib
from attacks.labels import bias_corrected, single, wainakh, yin
from attacks.labels import head as head_lib
from selenc_tf import flatten, validation

Rule: TypeAlias = Callable[[head_lib.HeadGradient, int], head_lib.Labels]
"""From the head's gradient and the batch size to the batch's classes."""

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "bias_corrected": bias_corrected.bias_corrected,
        "idlg": single.idlg,
        "wainakh_simple": wainakh.wainakh_simple,
        "yin": yin.yin,
    }
)
"""A new rule is one file and one line here. `idlg` is for one picture."""


def infer_classes(
    target: target_lib.Target,
    spec: flatten.FlatSpec,
    num_classes: int,
    batch_size: int,
    rule: str | None = None,
) -> head_lib.Labels:
    """Applies a rule to a target.

    Runs on: attacker. Sees: the visible entries of the head.

    Args:
      target: The gradient.
      spec: The layout of the flat vector.
      num_classes: Length of the logits.
      batch_size: b >= 1.
      rule: One of `RULES`; None takes `bias_corrected` where the whole bias is known and
        `wainakh_simple` elsewhere (at 50 % hidden, batches of 8 digits, FedAvg CNN:
        96 % of the classes right against 42 % with the visible half of the bias).

    Returns:
      The rule's answer. Without a dense head, or with all of it hidden, nothing is
      evident.

    Raises:
      ValueError: If there is no such rule or it does not go with the batch size.
    """
    if rule is not None:
        validation.check_in("rule", rule, RULES)
    head = head_lib.read_head(target, spec, num_classes)
    if head is None:
        guess = sorted(index % num_classes for index in range(batch_size))
        return head_lib.Labels(tuple(guess), ())
    if rule is None:
        rule = "bias_corrected" if head.bias_known.all() else "wainakh_simple"
    return RULES[rule](head, batch_size)


def hypotheses(
    found: head_lib.Labels, num_classes: int, most: int
) -> tuple[tuple[int, ...], ...]:
    """Lists the batches of classes that contain all the evident ones.

    Args:
      found: What a rule said of a batch of b pictures.
      num_classes: Number of classes.
      most: The longest list worth trying.

    Returns:
      Ascending tuples of b classes, the rule's own answer first. Only that one if
      everything is evident; none if there were more than `most` to try.

    Example:
      one picture, nothing evident, 3 classes, answer 1: (1,), (0,), (2,).
    """
    open_places = len(found.classes) - len(found.evident)
    if math.comb(num_classes + open_places - 1, open_places) > most:
        return ()
    batches = [
        tuple(sorted((*found.evident, *rest)))
        for rest in itertools.combinations_with_replacement(
            range(num_classes), open_places
        )
    ]
    return (found.classes, *(batch for batch in batches if batch != found.classes))
