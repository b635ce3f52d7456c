"""Data that a user brings: a folder, an archive, a table or a function.

`own.load(source)` reads them, one file here for each kind of source, and checks
everything before any work is done.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
