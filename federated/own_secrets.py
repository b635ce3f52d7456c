"""Without a shared key: `federated.selective_encryption(..., keys=PerClientKeys())`."""

from selenc_tf.lattice.per_client import PerClientKeys as PerClientKeys
