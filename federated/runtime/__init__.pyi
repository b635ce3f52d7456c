from .context import InProcessContext as InProcessContext
from .context import as_async as as_async
from .context import install as install
