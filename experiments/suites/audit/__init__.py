"""The parts of `experiments.audit`: its effort, its prediction, its result."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
