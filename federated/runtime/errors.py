"""TensorFlow's errors, reduced to what our own checks in the graphs say."""

import re

import tensorflow as tf

_ASSERTION = re.compile(r"assertion failed: (\[.*\])")
_NO_FILE = re.compile(r"(\S+); No such file or directory")
_PARTS = re.compile(r"\] \[")
_ESCAPED = re.compile(r"\\(['\"\\])")


def plainly(error: tf.errors.OpError) -> tf.errors.OpError:
    """The sentence of an assertion that failed inside a graph.

    Args:
      error: As TensorFlow raised it, with the names of operations and no stack that
        anybody could use.

    Returns:
      An error of the same class with the assertion's text alone, or with the file that
      is missing; the same error if it says neither.
    """
    asserted = _ASSERTION.search(error.message)
    missing = _NO_FILE.search(error.message)
    if asserted is not None:
        parts = " ".join(_PARTS.split(asserted.group(1)[1:-1]))
        text = _ESCAPED.sub(r"\1", parts)
    elif missing is not None:
        text = (
            f"A client's computation needs the file {missing.group(1)}, but it is not "
            "there. If it is a key: put it into the client's key store (a series needs "
            "one for every round, `key_store.create_series`)."
        )
    else:
        return error
    return type(error)(error.node_def, error.op, text)
