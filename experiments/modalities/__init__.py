"""What is studied: pictures and tables of numbers; each other modality is a folder.

`catalog` is light; a modality loads TensorFlow when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
