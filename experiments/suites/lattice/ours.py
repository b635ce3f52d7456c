"""Our side of the lattice suite: the engine's stages, compiled as a round compiles them."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from experiments.suites.lattice import side
from experiments.suites.lattice.side import ADDED, BOUND, SUMMANDS, Message, Side
from selenc_tf import catalog
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import message as message_lib
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.header import Context
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientKeys
from selenc_tf.lattice.refusal import must_be_accepted

# Only its name goes into messages; the key is made and kept in memory.
_KEYS = KeySet(path="", key_id="0" * 16)
_SEED = (1, 2)


def build_engine(bits: int, cipher: str = "tf_shell_bgv") -> Engine:
    """The engine for values of so many bits and `SUMMANDS` summands."""
    return Engine(FixedPointCodec(bits), catalog.cipher(cipher, SUMMANDS, bits))


def round_context(
    engine: Engine, num_values: tf.Tensor, keys: KeySet | PerClientKeys = _KEYS
) -> Context:
    """The context of a round that hides so many values."""
    mask = tf.zeros([1], tf.uint8)
    return engine.context(keys, mask, tf.constant(0, tf.int64), num_values)


def add_judged(
    engine: Engine, messages: Sequence[tf.Tensor], context: Context
) -> tf.Tensor:
    """The server's stage: judges messages and adds those that must all be right."""
    blocks = engine.num_blocks(context.values)
    verdicts = [
        engine_lib.judge(engine, message, context, 1, 0, blocks, upload=True)
        for message in messages
    ]
    worst = tf.reduce_max(tf.stack(verdicts))
    with tf.control_dependencies([must_be_accepted(worst)]):
        accepted = tf.stack([message_lib.blocks_of(item) for item in messages])
    return message_lib.assemble(
        context,
        tf.constant(len(messages)),
        tf.constant(0),
        engine.cipher.add(accepted),
    )


def build(name: str, bits: int, cipher: str = "tf_shell_bgv") -> Side:
    """Builds our side with a fresh key.

    Args:
      name: Of the side.
      bits: Of a value.
      cipher: By its name in the catalogue.

    Returns:
      The side.
    """
    engine = build_engine(bits, cipher)
    key = engine.keyed_cipher.keygen()
    text = tf.TensorSpec([None], tf.string)
    number = tf.TensorSpec([], tf.int64)

    def num_blocks(num_values: tf.Tensor) -> tf.Tensor:
        return engine.num_blocks(engine.num_codes(num_values))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def seal(values: tf.Tensor) -> tf.Tensor:
        context = round_context(engine, tf.size(values, tf.int64))
        seed = tf.constant(_SEED, tf.int64)
        return engine_lib.seal(engine, key, values, tf.constant(BOUND), context, seed)

    def add(messages: list[tf.Tensor], num_values: tf.Tensor) -> tf.Tensor:
        return add_judged(engine, messages, round_context(engine, num_values))

    @functools.cache
    def adder(count: int) -> Any:
        return tf.function(add, input_signature=[[text] * count, number])

    @tf.function(input_signature=[text, number, number])
    def open_(
        message: tf.Tensor, num_values: tf.Tensor, summands: tf.Tensor
    ) -> tf.Tensor:
        codes = engine_lib.open_codes(
            engine,
            key,
            message,
            round_context(engine, num_values),
            summands,
            tf.constant(0, tf.int64),
            num_blocks(num_values),
        )
        # The codes behind them count the saturated values.
        return engine.codec.decode(codes[:num_values], BOUND)

    def add_all(messages: Sequence[Message], num_values: int) -> Message:
        numbers = tf.constant(num_values, tf.int64)
        summed: Message = adder(len(messages))(list(messages), numbers)
        return summed

    def open_all(
        message: Message, num_values: int, summands: int
    ) -> NDArray[np.float32]:
        numbers = tf.constant([num_values, summands], tf.int64)
        opened: NDArray[np.float32] = open_(message, numbers[0], numbers[1]).numpy()
        return opened

    return Side(
        name=name,
        details=f"{in_words(engine)}, secret key",
        setting=None,
        bits=bits,
        max_error=engine.codec.max_abs_error(BOUND, ADDED),
        seal=seal,
        seal_and_count=lambda values: count_bytes(seal(values)),
        add=add_all,
        open=open_all,
        count_bytes=count_bytes,
        cipher=cipher,
    )


def count_bytes(message: Message) -> int:
    """The length of a message as a client sends it, string [1 + b]."""
    return int(tf.reduce_sum(tf.strings.length(message, "BYTE")))


def in_words(engine: Engine) -> str:
    """The cipher and how values stand in it."""
    chosen, per_slot = engine.cipher, engine.packing.values_per_slot
    return (
        f"{chosen.name}, {chosen.num_slots} slots a block, "
        f"{8 * chosen.upload_bytes / chosen.num_slots:.1f} bits a slot as it is sent, "
        f"{chosen.plaintext_modulus.bit_length()}-bit t, {per_slot} values a slot"
    )


NAMES = {16: side.OURS_16, 8: side.OURS_8}
"""Our sides by the bits of a value."""
