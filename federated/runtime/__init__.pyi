from .context import InProcessContext as InProcessContext
from .context import as_async as as_async
from .context import install as install
from .context import install_if_none as install_if_none
