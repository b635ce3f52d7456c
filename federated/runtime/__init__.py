"""Runs TFF computations in this process, and taps what crosses between the parties."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
