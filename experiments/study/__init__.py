"""What `experiments.run` is made of: from flags to rounds, attacks and their records.

`flag_table`, `settings`, `protocols`, `rules` and `command` are light; the other modules
load TensorFlow, and are loaded when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
