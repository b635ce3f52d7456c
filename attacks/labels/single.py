"""The label of one picture under the common signature of the label rules."""

from attacks.labels import head as head_lib
from attacks.labels import signs as labels


def idlg(head: head_lib.HeadGradient, batch_size: int) -> head_lib.Labels:
    """The only class that the signs of the known entries allow, if there is one.

    Zhao, Mopuri, Bilen, "iDLG: Improved Deep Leakage from Gradients", 2020, by
    `labels.consistent_classes`.

    Runs on: attacker. Sees: what is known of the head.

    Args:
      head: The head's gradient.
      batch_size: 1.

    Returns:
      One class: evident if it is the only one possible, else the lowest possible one.

    Raises:
      ValueError: If the batch is not one picture.
    """
    if batch_size != 1:
        raise ValueError(
            "`batch_size` must be 1 for iDLG, whose rule is for a single picture, got "
            f"{batch_size}. Use another rule for batches."
        )
    bias = head.bias if head.bias_known.any() else None
    possible = labels.consistent_classes(head.kernel, bias) or (0,)
    return head_lib.Labels(possible[:1], possible if len(possible) == 1 else ())
