"""Names of tensors that survive TFF's structures.

Structures of named tensors are sorted by name, so a number comes first: Keras' order
has to last.
"""

import re

_NUMBER = re.compile(r"^\d{5}/")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_./-]")
"""What TensorFlow allows in no name of a graph."""


def key(index: int, name: str) -> str:
    """The key of a tensor in a structure.

    Example:
      >>> key(3, "dense/kernel")
      '00003/dense/kernel'
    """
    return f"{index:05d}/{_ILLEGAL.sub('_', name)}"


def layout_name(key: str) -> str:
    """The name of a tensor, of its key; another key is a name itself.

    Example:
      >>> layout_name("00003/dense/kernel")
      'dense/kernel'
    """
    return _NUMBER.sub("", key)
