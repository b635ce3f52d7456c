"""TensorFlow Federated computations: the runtime, the tap and the encrypted rounds.

Importing this package imports nothing heavy; it only makes `tensorflow_federated`
importable (see `tensorflow_privacy_import.py`).
"""

from federated import tensorflow_privacy_import

tensorflow_privacy_import.install()
