"""Functions that return data, for `package.module:function`."""

import collections

import numpy as np

from experiments.data import own
from selenc_tf.models import value_range

NOT_A_FUNCTION = 3
X = np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3)
Y = np.array([0, 1, 1, 0])


def pair():
    return X, Y


def triple():
    return X, Y, ["b", "a", "b", "b"]


def several():
    return {"a": X, "b": (X[:, 0], X)}, {"one": Y, "two": X}


def listed():
    return [X, X], Y


def named():
    unit = value_range.value_range(0, 1)
    return own.OwnData("mine", X.copy(), Y.astype(np.int32), value_range=unit)


def nothing():
    return None


def needs_more(path):
    return path


def fails():
    raise RuntimeError("secret 1.75")


def by_client():
    import tensorflow_federated as tff

    def of(name):
        size = {"abe": 2, "zoe": 1}[name]
        return collections.OrderedDict(
            target=np.arange(size), pixels=np.full((size, 2, 2), 0.25, np.float32)
        )

    return tff.simulation.datasets.TestClientData({n: of(n) for n in ("zoe", "abe")})


def pairs_by_client():
    import tensorflow_federated as tff

    tables = {"abe": (X, Y), "zoe": (X, Y)}
    return tff.simulation.datasets.TestClientData(tables)
