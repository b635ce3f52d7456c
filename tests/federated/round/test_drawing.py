"""Numbers that nobody else draws too, whatever TensorFlow's seed is."""

import tensorflow as tf

from federated.round import drawing


def drawn_after_a_seed():
    with tf.Graph().as_default():
        tf.random.set_seed(1)
        number = drawing.draw()
        with tf.compat.v1.Session() as session:
            return int(session.run(number))


def test_never_the_same_again():
    traced = tf.function(drawing.draw, autograph=False)
    seen = [int(draw()) for draw in (traced, drawing.draw) for _ in range(3)]
    seen += [drawn_after_a_seed() for _ in range(3)]
    assert len(set(seen)) == len(seen)
    assert drawing.draw().dtype == tf.int64 and drawing.draw().shape == ()


def test_of_any_size():
    draw = tf.function(drawing.draw, autograph=False)
    drawn = [int(draw()) & (2**64 - 1) for _ in range(64)]
    # Each bit takes both values: by chance it does not once in 2^57.
    assert all(0 < sum(n >> bit & 1 for n in drawn) < 64 for bit in range(64))
