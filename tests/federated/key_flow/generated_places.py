"""The control structures in which a number is made."""

from collections.abc import Callable

import tensorflow as tf

from tests.federated.key_flow.generated_given import Given


def _in_branch(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    return tf.cond(given.public < 1000, body, lambda: tf.constant(0))


def _in_case(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    return tf.switch_case(given.public * 0, [body, lambda: tf.constant(0)])


def _in_loop(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    last = given.public * 0 + 1
    return tf.while_loop(
        lambda i, _: i < last, lambda i, _: (i + 1, body()), (0, tf.constant(0))
    )[1]


def _in_function(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    del given
    return tf.function(body, autograph=False)()


def _in_data_set(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    del given
    return tf.data.Dataset.range(1).map(lambda _: body()).get_single_element()


def _in_reduction(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    del given
    return tf.data.Dataset.range(1).reduce(0, lambda total, _: total + body())


PLACES: dict[str, Callable[[Callable[[], tf.Tensor], Given], tf.Tensor]] = {
    "straight": lambda body, given: body(),
    "branch": _in_branch,
    "case": _in_case,
    "loop": _in_loop,
    "function": _in_function,
    "data set": _in_data_set,
    "reduction": _in_reduction,
}
"""Control structures that run a body once."""
