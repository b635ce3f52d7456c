"""TensorFlow Federated computations: the runtime, the tap and the encrypted rounds.

```
import federated                     # Before TFF: it makes TFF importable.
import tensorflow_federated as tff

process = tff.learning.algorithms.build_weighted_fed_avg(
    federated.tff_model(keras_model),
    client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1),
    model_aggregator=federated.selective_encryption(ratio=0.1),
)
federated.key_flow.check(process.next)
```

Importing this package imports nothing heavy. Its names, which `__init__.pyi` lists, load
what they stand for when they are used.
"""

import lazy_loader

from federated import allocator, tensorflow_privacy_import

tensorflow_privacy_import.install()
allocator.use_the_systems()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
