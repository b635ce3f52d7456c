"""Why a message is not taken: every reason has a name."""

import enum

import tensorflow as tf


class Refusal(enum.IntEnum):
    """The verdict on a message.

    A message is judged in this order, so the first reason that applies is the one that
    is reported.
    """

    ACCEPTED = 0
    TRUNCATED = 1
    FOREIGN = 2
    REORDERED = 3
    CORRUPTED = 4
    WRONG_PARAMETERS = 5
    WRONG_CODEC = 6
    WRONG_RUN = 7
    WRONG_ROUND = 8
    WRONG_KEY = 9
    WRONG_MASK = 10
    WRONG_COUNT = 11
    WRONG_SUMMANDS = 12
    MISPLACED = 13
    WRONG_PLAIN_PART = 14
    WRONG_WEIGHT = 15
    CROWDED_OUT = 16
    GARBLED = 17
    DUPLICATE = 18
    SECRET_MISSING = 19


EXPLANATIONS = {
    Refusal.ACCEPTED: "it is what was expected",
    Refusal.TRUNCATED: "it ends early: blocks or bytes that its header names are missing",
    Refusal.FOREIGN: "it does not begin with the header of this version of the format",
    Refusal.REORDERED: "its blocks stand in another order than they were sealed in",
    Refusal.CORRUPTED: "its checksum does not fit its content",
    Refusal.WRONG_PARAMETERS: "it was encrypted under other lattice parameters",
    Refusal.WRONG_CODEC: "its integers were made by another codec",
    Refusal.WRONG_RUN: "it belongs to another training under the same key",
    Refusal.WRONG_ROUND: "it belongs to another round",
    Refusal.WRONG_KEY: "it was encrypted under another key",
    Refusal.WRONG_MASK: "it was made under another mask",
    Refusal.WRONG_COUNT: "it holds another number of values than the mask hides",
    Refusal.WRONG_SUMMANDS: "it is the sum of more or fewer messages than it should be",
    Refusal.MISPLACED: "it holds other blocks of the vector than it should",
    Refusal.WRONG_PLAIN_PART: "its visible entries are not as many as the mask leaves",
    Refusal.WRONG_WEIGHT: "its weight is not a positive, finite number",
    Refusal.CROWDED_OUT: (
        "messages of several other rounds or keys came before it, and no more are kept "
        "apart"
    ),
    Refusal.GARBLED: (
        "a block does not decrypt to its check value: another key, a sum of other "
        "ciphertexts than the header says, or noise beyond the budget"
    ),
    Refusal.DUPLICATE: "an upload with its nonce was taken before it",
    Refusal.SECRET_MISSING: (
        "the sum does not open with what its clients released: one of them left after its "
        "upload, or its ciphertext is damaged; run the round again, with new secrets"
    ),
}
"""What each verdict means, to follow "the message is refused because ..."."""


def describe(refusal: Refusal) -> str:
    """`"WRONG_KEY: it was encrypted under another key"`."""
    return f"{refusal.name}: {EXPLANATIONS[refusal]}"


def must_be_accepted(verdict: tf.Tensor) -> tf.Operation:
    """Fails with the name of the refusal, if it is one.

    Runs on: whoever judged.

    Args:
      verdict: int32, a `Refusal`.

    Raises:
      InvalidArgumentError: When run, e.g. "WRONG_KEY: it was encrypted ...".
    """
    texts = [f"The message is refused. {describe(refusal)}." for refusal in Refusal]
    if tf.executing_eagerly():
        if int(verdict) != Refusal.ACCEPTED:
            raise tf.errors.InvalidArgumentError(None, None, texts[int(verdict)])
        return tf.no_op()
    accepted = tf.equal(verdict, int(Refusal.ACCEPTED))
    return tf.debugging.Assert(accepted, [tf.constant(texts)[verdict]])
