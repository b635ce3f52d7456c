"""Public numbers that nobody else draws too, but copies of the process (forks) may."""

import tensorflow as tf


def draw() -> tf.Tensor:
    """Draws a number: int64, uniform; anew each time that it is run.

    Runs on: any party. Not a secret. TensorFlow seeds the operation from the operating
    system, whatever `tf.random.set_seed` was called with: a number that comes again
    after the same seed would let an old message pass for a new one. The generator stands
    in the process: copies of one that has drawn draw the same (docs/threat-model.md).
    """
    return tf.raw_ops.RandomUniformInt(
        shape=tf.zeros([0], tf.int32),
        minval=tf.constant(tf.int64.min, tf.int64),
        maxval=tf.constant(tf.int64.max, tf.int64),
        seed=0,
        seed2=0,
    )
