"""What can go wrong with one client's upload, to be traced into a round's clients.

A client whose weight is `MARK` plus a fault's number has that fault. So a round is traced
once, and each run of it may have any faults at any of its clients.
"""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from federated.round import client, local_work
from selenc_tf.lattice import header, message
from selenc_tf.lattice.refusal import Refusal

MARK = 100.0
"""Larger than any weight of a client without a fault."""


class Fault(NamedTuple):
    """A fault.

    Attributes:
      change: From a good upload and its context to what is sent.
      verdict: What becomes of it; None if the client counts as idle.
      vector: What the client's vector is multiplied by before it is protected.
      weight: What it takes for its weight.
    """

    change: object
    verdict: Refusal | None
    vector: float = 1.0
    weight: float = 1.0


def as_it_is(upload, context):
    del context
    return upload


def ciphertext(change):
    """A fault of the message alone."""
    return lambda upload, _: upload._replace(ciphertext=change(upload.ciphertext))


def with_message(upload, sent):
    """An upload with another message, whose checksum fits."""
    return client.sealed_upload(*upload._replace(ciphertext=sent)[:-1])


def of_another(**fields):
    """A message that says in its header to be of something else."""

    def change(upload, context):
        other = {name: getattr(context, name) + step for name, step in fields.items()}
        blocks = message.blocks_of(upload.ciphertext)
        sent = message.assemble(
            context._replace(**other), tf.constant(1), tf.constant(0), blocks
        )
        return with_message(upload, sent)

    return change


def reassembled(summands=1, first_block=0):
    """A message with another place or number of summands in its header."""

    def change(upload, context):
        blocks = message.blocks_of(upload.ciphertext)
        sent = message.assemble(
            context, tf.constant(summands), tf.constant(first_block), blocks
        )
        return with_message(upload, sent)

    return change


def sealed_again(**parts):
    """Another clear part, whose checksum fits."""

    def change(upload, context):
        del context
        changed = {
            name: part(getattr(upload, name)) if callable(part) else tf.constant(part)
            for name, part in parts.items()
        }
        return client.sealed_upload(*upload._replace(**changed)[:-1])

    return change


def other_bytes(parts):
    """The last block with its first byte behind the others."""
    last = parts[-1]
    turned = tf.strings.join(
        [tf.strings.substr(last, 1, -1), tf.strings.substr(last, 0, 1)]
    )
    return tf.concat([parts[:-1], [turned]], 0)


FAULTS = {
    "a block is missing": Fault(ciphertext(lambda it: it[:-1]), Refusal.TRUNCATED),
    "nothing arrives": Fault(ciphertext(lambda it: it[:0]), Refusal.TRUNCATED),
    "something else arrives": Fault(
        ciphertext(lambda it: tf.concat([[bytes(header.NUM_BYTES)], it[1:]], 0)),
        Refusal.FOREIGN,
    ),
    "blocks in another order": Fault(
        ciphertext(lambda it: tf.concat([it[:1], it[:0:-1]], 0)), Refusal.REORDERED
    ),
    "other bytes": Fault(ciphertext(other_bytes), Refusal.CORRUPTED),
    "another weight on the way": Fault(
        lambda upload, _: upload._replace(weight=upload.weight + 1.0),
        Refusal.CORRUPTED,
    ),
    "idle on the way": Fault(
        lambda upload, _: upload._replace(contributes=tf.constant(False)),
        Refusal.CORRUPTED,
    ),
    "other parameters": Fault(of_another(parameters=1), Refusal.WRONG_PARAMETERS),
    "another codec": Fault(of_another(codec=1), Refusal.WRONG_CODEC),
    "an earlier training": Fault(of_another(run=-1), Refusal.WRONG_RUN),
    "an earlier round": Fault(of_another(round=-1), Refusal.WRONG_ROUND),
    "another key": Fault(of_another(key_id=1), Refusal.WRONG_KEY),
    "another key of that name": Fault(of_another(key_check=1), Refusal.WRONG_KEY),
    "another mask": Fault(of_another(mask=1), Refusal.WRONG_MASK),
    "a sum of two": Fault(reassembled(summands=2), Refusal.WRONG_SUMMANDS),
    "another place": Fault(reassembled(first_block=1), Refusal.MISPLACED),
    "a visible entry too many": Fault(
        sealed_again(plain=lambda plain: tf.concat([plain, [1.0]], 0)),
        Refusal.WRONG_PLAIN_PART,
    ),
    "a weight of zero": Fault(sealed_again(weight=0.0), Refusal.WRONG_WEIGHT),
    "a negative weight": Fault(sealed_again(weight=-3.0), Refusal.WRONG_WEIGHT),
    "a weight that is no number": Fault(
        sealed_again(weight=np.float32(np.nan)), Refusal.WRONG_WEIGHT
    ),
    "no weight": Fault(as_it_is, None, weight=0.0),
    "an update that is no number": Fault(as_it_is, None, vector=np.nan),
    "an infinite update": Fault(as_it_is, None, vector=np.inf),
}

GARBLED = "bytes of something else under the right header"
"""The one fault that no header shows: found when the sum is opened."""


def mark(name):
    """The weight of a client that has a fault."""
    return MARK + [*FAULTS, GARBLED].index(name)


def faulty(real):
    """`client.protect` with the faults that weights ask for."""

    def protect(vector, weight, mask, bound, context, secret_key, nonce, engine):
        listed = [*FAULTS.values()]
        wrong = weight >= MARK
        number = tf.where(wrong, tf.cast(weight - MARK, tf.int32), len(listed) + 1)

        def picked(values, otherwise):
            table = tf.constant([*values, 1.0, 0.0])
            return tf.where(wrong, tf.gather(table, number), otherwise)

        factor = picked([fault.vector for fault in listed], 1.0)
        own = picked([fault.weight for fault in listed], weight)
        # Of a fault only the kind counts: its entries are small numbers.
        entries = tf.where(wrong, tf.ones_like(vector) * factor, vector)
        arguments = (mask, bound, context, secret_key, nonce, engine)
        upload = real(entries, own, *arguments)

        def garbled():
            other = context._replace(round=context.round + 1)
            sent = real(entries, own, mask, bound, other, *arguments[3:])
            return reassembled()(sent, context)

        return tf.switch_case(
            number,
            [
                *(
                    lambda fault=fault: any_length(fault.change(upload, context))
                    for fault in listed
                ),
                lambda: any_length(garbled()),
                lambda: any_length(upload),
            ],
        )

    return protect


def any_length(upload):
    """The upload without static lengths: alike for all faults."""

    def forget(vector):
        return tf.raw_ops.PlaceholderWithDefault(input=vector, shape=[None])

    return upload._replace(
        plain=forget(upload.plain), ciphertext=forget(upload.ciphertext)
    )


def marked_presence(real):
    """`local_work.presence` where the first number of a picture may be the mark."""

    def presence(batch):
        first = tf.reduce_max(tf.concat([[0.0], batch.examples[:, 0]], 0))
        return tf.where(first >= MARK, first, real(batch))

    return presence


def traced_with_faults(build):
    """What `build` makes of clients that may have faults."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "protect", faulty(client.protect))
        patch.setattr(local_work, "presence", marked_presence(local_work.presence))
        return build()
