"""What a client computes in a selectively encrypted sum: pure TensorFlow.

A client sees its own vector, the public announcement, its own key and, at the end, the
sum of the hidden entries that it helps to decrypt. It never sees another client's
vector.
"""

from typing import NamedTuple

import tensorflow as tf

from selenc_tf import flatten
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import shares
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.header import Context
from selenc_tf.types import Mask, Vector

MIN_WEIGHT, MAX_WEIGHT = 2.0**-16, 2.0**63
"""Of a client, where weights are encrypted."""


class Upload(NamedTuple):
    """What a client sends to the server.

    Attributes:
      plain: float32 [n - m], the visible entries in flat order.
      ciphertext: string [1 + b], the message with the hidden entries and the number of
        saturated ones, see `selenc_tf/lattice/message.py`.
      weight: float32, the client's weight in a mean; 1 where that is among what is
        encrypted.
      nonce: int64, drawn afresh: orders the clients without naming them.
      contributes: bool, whether the client has something to add. If not, the vectors
        are empty and the numbers zero.
      checksum: int64, of all of that. Of the message it takes the header, which has the
        checksum of the blocks: whose message it is shows here.
    """

    plain: tf.Tensor
    ciphertext: tf.Tensor
    weight: tf.Tensor
    nonce: tf.Tensor
    contributes: tf.Tensor
    checksum: tf.Tensor


class OpenedShare(NamedTuple):
    """A client's share of the decrypted sum, on its way to the server.

    Attributes:
      rank: int32, the position of the share; that of nobody if the server did not take
        this client's upload.
      codes: string, the sums of codes in that share, serialised in `sum_dtype`.
    """

    rank: tf.Tensor
    codes: tf.Tensor


def protect(
    vector: Vector,
    weight: tf.Tensor,
    mask: Mask,
    bound: tf.Tensor,
    context: Context,
    secret_key: tf.Tensor,
    nonce: tf.Tensor,
    engine: Engine,
) -> Upload:
    """Splits a vector by the mask and encrypts the hidden part, if there is one to add.

    A client contributes if its weight is positive and finite and its vector finite.
    Others (without examples, or whose training diverged) would add nothing, but be
    counted in `min_clients`, behind which those who do add something hide.

    Runs on: client. Sees: its own vector and key.

    Args:
      vector: float32 [n], already multiplied by the weight where there is one.
      weight: float32.
      mask: bool [n], True = hidden.
      bound: float32 [] or [m], the public bound of each hidden entry.
      context: Of the round.
      secret_key: string.
      nonce: int64.
      engine: Makes the message, with the weight in it if it carries a number.

    Returns:
      The upload.

    Raises:
      InvalidArgumentError: When run, if a weight to be encrypted is out of range.
    """
    contributes, weight, number = _what_counts(vector, weight, engine)
    # Rounding is no secret: its seed may be known to whoever sees the upload.
    seed = tf.stack([nonce, context.round])

    def both() -> tuple[tf.Tensor, tf.Tensor]:
        parts = split(vector, mask)
        sealed = engine_lib.seal(
            engine, secret_key, parts.hidden, bound, context, seed, number
        )
        return parts.visible, sealed

    def nothing() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.zeros([0]), tf.zeros([0], tf.string)

    plain, ciphertext = tf.cond(contributes, both, nothing)
    return _upload(plain, ciphertext, weight, nonce, contributes)


class Parts(NamedTuple):
    """A vector cut in two by a mask; `merge` puts it together again.

    Attributes:
      hidden: float32 [m], in flat order.
      visible: float32 [n - m], likewise.
    """

    hidden: tf.Tensor
    visible: tf.Tensor


def split(vector: Vector, mask: Mask) -> Parts:
    """Cuts a vector in two.

    Runs on: client. Sees: its own vector.

    Args:
      vector: float32 [n].
      mask: bool [n], True = hidden.

    Returns:
      The parts.
    """

    def choose() -> tuple[tf.Tensor, tf.Tensor]:
        shown = tf.logical_not(mask)
        return tf.boolean_mask(vector, mask), tf.boolean_mask(vector, shown)

    # Nothing is copied where all is hidden.
    return Parts(*tf.cond(tf.reduce_all(mask), lambda: (vector, vector[:0]), choose))


class OwnUpload(NamedTuple):
    """An upload under a secret of its own, which stays with the client.

    Attributes:
      upload: What the client sends.
      secret: int32 [N], for `PerClientCipher.release` and nothing else.
    """

    upload: Upload
    secret: tf.Tensor


def protect_own(
    vector: Vector,
    weight: tf.Tensor,
    mask: Mask,
    bound: tf.Tensor,
    context: Context,
    nonce: tf.Tensor,
    engine: Engine,
) -> OwnUpload:
    """As `protect`, without a key: under a secret that is drawn for this upload.

    Runs on: client. Sees: its own vector.

    Args:
      vector: As for `protect`, and all others.
      weight: Likewise.
      mask: Likewise.
      bound: Likewise.
      context: Likewise.
      nonce: Likewise.
      engine: Likewise, with a `PerClientCipher`.

    Returns:
      The upload and its secret.

    Raises:
      InvalidArgumentError: As by `protect`.
    """
    contributes, weight, number = _what_counts(vector, weight, engine)
    seed = tf.stack([nonce, context.round])
    # Not in a branch: what a branch gives out is not known to be a secret as it was drawn.
    parts = split(vector, mask)
    sealed, secret = engine_lib.seal_own(
        engine, parts.hidden, bound, context, seed, number, contributes
    )
    plain = tf.cond(contributes, lambda: parts.visible, lambda: tf.zeros([0]))
    return OwnUpload(_upload(plain, sealed, weight, nonce, contributes), secret)


def _what_counts(
    vector: Vector, weight: tf.Tensor, engine: Engine
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Whether a client contributes, its weight in the clear, and what of it is hidden."""
    contributes = positive(weight) & tf.reduce_all(tf.math.is_finite(vector))
    if not engine.more_codes:
        return contributes, weight, None
    number = engine.number_codes(_exact(weight, contributes))
    return contributes, tf.ones_like(weight), number


def _upload(
    plain: tf.Tensor,
    ciphertext: tf.Tensor,
    weight: tf.Tensor,
    nonce: tf.Tensor,
    contributes: tf.Tensor,
) -> Upload:
    """What is sent, with numbers of zero if nothing is contributed."""
    return sealed_upload(
        plain,
        ciphertext,
        tf.where(contributes, weight, 0.0),
        tf.where(contributes, nonce, 0),
        contributes,
    )


def positive(weight: tf.Tensor) -> tf.Tensor:
    """Whether a weight counts: bool, positive and finite. Runs on: any party."""
    return tf.math.is_finite(weight) & (weight > 0)


def _exact(weight: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """A weight whose encrypted sum is exact: from 2^-16 to 2^63."""
    check = tf.debugging.Assert(
        ~counts | ((weight >= MIN_WEIGHT) & (weight <= MAX_WEIGHT)),
        [
            "A client's weight must lie between 2^-16 and 2^63 where weights are "
            "encrypted. Scale all weights, or let them cross in the clear "
            "(`hide_weights=False`)"
        ],
    )
    with tf.control_dependencies([op for op in (check,) if op is not None]):
        return tf.identity(weight)


def sealed_upload(
    plain: tf.Tensor,
    ciphertext: tf.Tensor,
    weight: tf.Tensor,
    nonce: tf.Tensor,
    contributes: tf.Tensor,
) -> Upload:
    """An upload with the checksum of its parts. Runs on: any party."""
    unsealed = Upload(
        plain, ciphertext, weight, nonce, contributes, tf.constant(0, tf.int64)
    )
    return unsealed._replace(checksum=checksum(unsealed))


def checksum(upload: Upload) -> tf.Tensor:
    """Of the parts of an upload, of its message the header: int64. Runs on: any party."""
    header = tf.fingerprint(upload.ciphertext[:1])
    parts = (upload.plain, upload.weight, upload.nonce, header)
    octets = [tf.reshape(tf.bitcast(part, tf.uint8), [-1]) for part in parts]
    octets.append(tf.cast(upload.contributes, tf.uint8)[tf.newaxis])
    return tf.bitcast(tf.fingerprint(tf.concat(octets, 0)[tf.newaxis]), tf.int64)[0]


def find_rank(nonce: tf.Tensor, cohort: tf.Tensor, min_clients: int) -> tf.Tensor:
    """Finds the client's place in the cohort, or refuses to take part.

    The refusal is the client's own protection: the sum of too few clients says too much
    about each of them, and with one client it says everything.

    Runs on: client. Sees: the cohort's sorted nonces.

    Args:
      nonce: int64, the client's own.
      cohort: int64 [k], sorted, broadcast by the server.
      min_clients: The smallest cohort whose sum the client helps to decrypt.

    Returns:
      int32 [1], the position of the nonce; k if it is not there, because the client
      had nothing to add or the server did not take its upload.

    Raises:
      InvalidArgumentError: When run, if the cohort is too small, or the nonce stands in
        it more than once.
    """
    size = tf.size(cohort)
    large_enough = tf.debugging.Assert(
        size >= min_clients,
        [
            "A client refuses to decrypt: the sum of a cohort smaller than "
            "`min_clients` would be published. `min_clients`:",
            min_clients,
            "clients that contribute to this round:",
            size,
            "Take more clients, or a release mode in which the server stays blind.",
        ],
    )
    mine = tf.cast(tf.equal(cohort, nonce), tf.int32)
    times = tf.reduce_sum(mine)
    unique = tf.debugging.Assert(
        times <= 1,
        ["A client's nonce must stand once in the cohort at most; run the round again"],
    )
    with tf.control_dependencies(
        [op for op in (large_enough, unique) if op is not None]
    ):
        position = tf.argmax(mine, output_type=tf.int32)
        return tf.reshape(tf.where(times > 0, position, size), [1])


def open_share(
    secret_key: tf.Tensor,
    share: tf.Tensor,
    rank: tf.Tensor,
    cohort: tf.Tensor,
    context: Context,
    engine: Engine,
) -> OpenedShare:
    """Decrypts the client's share of the summed ciphertext.

    Runs on: client. Sees: a part of the sum over the cohort.

    Args:
      secret_key: string.
      share: string [1 + blocks], the share as a message.
      rank: int32 [1].
      cohort: int64 [k].
      context: Of the round.
      engine: As at encryption.

    Returns:
      The opened share, without the padding of the last block. Who is not in the cohort
      has none, and may even hold another key.

    Raises:
      InvalidArgumentError: When run, if the share is refused, with the reason's name.
    """
    clients = tf.size(cohort)
    blocks = tf.cast(engine.num_blocks(context.values), tf.int32)
    expected = shares.share_of(blocks, rank[0], clients)
    codes = tf.cond(
        rank[0] < clients,
        lambda: engine_lib.open_codes(
            engine,
            secret_key,
            share,
            context,
            clients,
            expected.first_block,
            expected.blocks,
        ),
        lambda: tf.zeros([0], tf.int64),
    )
    return OpenedShare(
        rank=rank[0],
        codes=tf.io.serialize_tensor(tf.cast(codes, sum_dtype(engine))),
    )


def sum_dtype(engine: Engine) -> tf.DType:
    """The narrowest integer in which every sum of codes fits."""
    largest = engine.codec.max_abs_code * engine.cipher.max_summands
    return tf.int32 if largest <= tf.int32.max else tf.int64


class OpenedVector(NamedTuple):
    """A sum that a client has opened for itself.

    Attributes:
      vector: float32 [n].
      saturated: int64, how many entries the codec cut off, of all clients together.
    """

    vector: tf.Tensor
    saturated: tf.Tensor


def open_all(
    secret_key: tf.Tensor,
    visible_sum: tf.Tensor,
    ciphertext_sum: tf.Tensor,
    clients: tf.Tensor,
    mask: Mask,
    bound: tf.Tensor,
    context: Context,
    engine: Engine,
) -> OpenedVector:
    """Decrypts a whole sum for the client's own use (the server stays blind).

    Runs on: client. Sees: the sum over the cohort.

    Args:
      secret_key: string.
      visible_sum: float32 [n - m].
      ciphertext_sum: string [1 + b].
      clients: int32, k.
      mask: bool [n].
      bound: float32 [] or [m].
      context: Of the round.
      engine: As at encryption.

    Returns:
      The sum.

    Raises:
      InvalidArgumentError: When run, if the sum is refused, with the reason's name.
    """
    codes = engine_lib.open_codes(
        engine,
        secret_key,
        ciphertext_sum,
        context,
        clients,
        tf.constant(0),
        engine.num_blocks(context.values),
    )
    m = tf.math.count_nonzero(mask, dtype=tf.int32)
    vector = merge(visible_sum, engine.codec.decode(codes[:m], bound), mask)
    return OpenedVector(vector, engine.count_saturated(codes, m))


def merge(visible: tf.Tensor, hidden: tf.Tensor, mask: Mask) -> Vector:
    """Puts visible and hidden entries back in their places.

    Runs on: any party that has both.

    Args:
      visible: float32 [n - m], in flat order.
      hidden: float32 [m], in flat order.
      mask: bool [n].

    Returns:
      float32 [n].

    Raises:
      InvalidArgumentError: When run, if they are not n together.
    """
    # Fails if they are not as many as there are places.
    both = tf.reshape(tf.concat([visible, hidden], 0), tf.shape(mask))

    def in_place() -> tf.Tensor:
        # In less than half of the time that scattering takes.
        hidden_before = tf.cumsum(tf.cast(mask, tf.int32), exclusive=True)
        visible_before = tf.range(tf.size(mask)) - hidden_before
        source = tf.where(mask, tf.size(visible) + hidden_before, visible_before)
        return tf.gather(both, source)

    one_kind = tf.reduce_all(mask) | tf.logical_not(tf.reduce_any(mask))
    merged = tf.cond(one_kind, lambda: both, in_place)
    return tf.ensure_shape(merged, mask.shape)


def flatten_value(value: object) -> Vector:
    """A client's value, a structure of float32 tensors, as one vector [n]."""
    return flatten.flatten(tf.nest.flatten(value))
