"""What trusted functions give out, and what stays of it when it is moved.

Function | output | on condition that
--- | --- | ---
encrypts | CIPHERTEXT, made by the cipher | its key is the key as the declared reader gave
it, chosen by no secret; else an ordinary value with all labels of the inputs
adds | a sum | what it adds was made by the cipher; else an ordinary value
decrypts | DECRYPTED | its key is as above, and the ciphertext a sum that came out of a
server's aggregation, moved only; else OPENED_OWN, and KEY too if the cipher did not make
all of it
encrypts under a secret of its own | CIPHERTEXT, as above, behind a header; and an
OWN_SECRET as it was drawn
releases | an OWN_SECRET as it was released | on condition that it gets one as it was drawn,
and a cohort as the server told it to all; else an ordinary value
opens by a sum of secrets | DECRYPTED | the secrets are a secure sum of what was released,
and the ciphertext as above; else OPENED_OWN

A key that is encrypted stays a key. An opened value that is encrypted is hidden if its
shape tells nothing: the number of blocks is not encrypted. Opening what the cipher did not
make (a chosen ciphertext) can give out the key.

Only whole strings are moved: a ciphertext of which a part is taken or which is computed
with is no longer what the cipher made. So whatever the cipher made still says of itself
under which key and parameters it was made and of how many messages it is the sum, and the
cipher decrypts nothing that does not fit (`selenc_tf/lattice/block_tails.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from federated.key_flow import op_kinds
from federated.key_flow.cipher_ops import Role, Trusted
from federated.key_flow.labels import (
    MAY,
    NEGATIVE,
    NO_OWN,
    ORDINARY,
    SECRET,
    Label,
    Labels,
    ordinary,
    union,
)

_MADE = frozenset({Label.LOOSE})
# A header may be any string, and so a ciphertext that somebody chose.
_NOT_MADE = frozenset({Label.FORGED, Label.HEAD})
_BAD_SUM = frozenset({Label.UNADDED, Label.CIPHERTEXT})


def outcomes(trusted: Trusted, inputs: Sequence[Labels]) -> tuple[Labels, ...]:
    """The labels of what a trusted function gives out: of all outputs, or of each."""
    if trusted.role is Role.SEAL:
        everything = union(inputs)
        drawn = (ORDINARY - {Label.UNDRAWN}) | {Label.OWN_SECRET}
        # Of this secret the ciphertext tells nothing; what is known of the round is public.
        known = union(one for index, one in enumerate(inputs) if index != trusted.data)
        sealed = _encrypted(everything) | {Label.HEAD} | (known & SECRET)
        return sealed, drawn | (everything & SECRET)
    return (outcome(trusted, inputs),)


def outcome(trusted: Trusted, inputs: Sequence[Labels]) -> Labels:
    """The labels of what a trusted function with one output gives out."""
    match trusted.role:
        case Role.KEYGEN:
            return frozenset({Label.KEY, Label.UNADDED, Label.FORGED}) | NO_OWN
        case Role.ENTROPY:
            return ordinary(frozenset({Label.ENTROPY}))
        case Role.ADD:
            return _added(inputs[trusted.data])
        case Role.RELEASE:
            return _released(trusted, inputs)
    others = union(
        labels for index, labels in enumerate(inputs) if index != trusted.key
    )
    if trusted.role is Role.OPEN:
        if not is_secret_sum(inputs[trusted.key]):
            return ordinary(*inputs, frozenset({Label.OPENED_OWN}))
        return _decrypted(inputs[trusted.data], others)
    if not _is_the_key(inputs[trusted.key]):
        return ordinary(*inputs)
    if trusted.role is Role.ENCRYPT:
        return _encrypted(others)
    return _decrypted(inputs[trusted.data], others)


def _is_the_key(labels: Labels) -> bool:
    return labels & SECRET == {Label.KEY} and Label.LOOSE not in labels


def is_released(labels: Labels) -> bool:
    """Whether a value is what was released of one secret, and nothing else."""
    return labels & SECRET == {Label.OWN_SECRET} and Label.UNRELEASED not in labels


def is_secret_sum(labels: Labels) -> bool:
    """Whether a value is a secure sum of what was released, and nothing else."""
    summed = Label.SECRET_SUM in labels and Label.UNSUMMED not in labels
    return summed and not labels & SECRET


def _released(trusted: Trusted, inputs: Sequence[Labels]) -> Labels:
    secret, cohort = inputs[trusted.key], inputs[trusted.data]
    drawn = secret & SECRET == {Label.OWN_SECRET} and Label.UNDRAWN not in secret
    others = [one for index, one in enumerate(inputs) if index != trusted.key]
    if not drawn or union(others) & SECRET or Label.UNTOLD in cohort:
        return ordinary(*inputs)
    return (ORDINARY - {Label.UNRELEASED}) | {Label.OWN_SECRET}


def _encrypted(others: Labels) -> Labels:
    hidden = frozenset() if Label.SIZE in others else frozenset({Label.OPENED_OWN})
    stays = others & SECRET - hidden
    size = {Label.SIZE} if stays else frozenset()
    made = frozenset({Label.CIPHERTEXT, Label.UNADDED}) | _MADE | NO_OWN
    return made | stays | size


def _added(ciphertexts: Labels) -> Labels:
    if ciphertexts & _NOT_MADE:
        return ordinary(ciphertexts)
    return (ciphertexts & MAY) | _MADE | NO_OWN


def _decrypted(ciphertext: Labels, others: Labels) -> Labels:
    opened = {Label.OPENED_OWN}
    if ciphertext & _NOT_MADE:
        opened = {Label.OPENED_OWN, Label.KEY}
    elif Label.SUM in ciphertext and not ciphertext & _BAD_SUM:
        opened = {Label.DECRYPTED}
    return ordinary(frozenset(opened), others & (SECRET | {Label.SIZE}))


def moved(
    node: Any, inputs: Sequence[Labels], by_name: Mapping[str, Any]
) -> Labels | None:
    """The labels of an operation that moves elements; None if it does more.

    Args:
      node: a node.
      inputs: labels of its inputs.
      by_name: the nodes of its graph or function.
    """
    if node.op not in op_kinds.MOVES or not op_kinds.moves_strings(node):
        return None
    kept = union(inputs[op_kinds.MOVES[node.op]]) & NEGATIVE
    kept = _without_head(node, inputs, by_name, kept) | {Label.LOOSE} | NO_OWN
    labels = (union(inputs) & MAY) | kept
    return labels | {Label.SIZE} if labels & SECRET else labels


def _without_head(
    node: Any, inputs: Sequence[Labels], by_name: Mapping[str, Any], kept: Labels
) -> Labels:
    """Messages are ciphertexts behind a header: that is put there and taken away.

    Of all other operations that get such a value, by whichever input, nobody made what
    they give out: the header may stand anywhere in it.
    """
    ordinary_head = kept - {Label.HEAD} | {Label.UNADDED, Label.FORGED}
    if node.op == "ConcatV2" and _integers(node, 2, by_name, last=True) == [0]:
        rest = union(inputs[1:-1]) & NEGATIVE
        if Label.HEAD not in rest and _is_one(node, 0, by_name) and len(inputs) > 2:
            return rest | {Label.HEAD}
    if node.op == "TensorListSetItem" and _integers(node, 1, by_name) == [0]:
        if _is_one(node, 2, by_name):
            return (inputs[0] & NEGATIVE) | {Label.HEAD}
    if Label.HEAD not in kept:
        return kept
    if node.op == "TensorListConcatV2":
        return kept
    # The header of what is put into a list does not stand at the list's beginning.
    if node.op == "TensorListSetItem" and Label.HEAD not in inputs[2]:
        return kept
    if node.op == "StridedSlice" and _begins_behind_head(node, by_name):
        return kept - {Label.HEAD}
    return ordinary_head


def _is_one(node: Any, index: int, by_name: Mapping[str, Any]) -> bool:
    """Whether an input is a vector of one element."""
    source = by_name.get(node.input[index].split(":")[0])
    if source is None or source.op != "Pack":
        return False
    return source.attr["N"].i == 1 and source.attr["axis"].i == 0


def _begins_behind_head(node: Any, by_name: Mapping[str, Any]) -> bool:
    masks = ("begin", "ellipsis", "new_axis", "shrink_axis")
    begin, strides = (_integers(node, index, by_name) for index in (1, 3))
    return (
        all(node.attr[f"{mask}_mask"].i == 0 for mask in masks)
        and len(begin) == 1
        and begin[0] >= 1
        and strides == [1]
    )


def _integers(
    node: Any, index: int, by_name: Mapping[str, Any], last: bool = False
) -> list[int]:
    """The numbers of a constant input; none if it is not constant."""
    data = [name for name in node.input if not name.startswith("^")]
    source = by_name.get(data[-1 if last else index].split(":")[0])
    if source is None or source.op != "Const":
        return []
    value = tf.make_ndarray(source.attr["value"].tensor)
    return [int(number) for number in value.reshape([-1])]
