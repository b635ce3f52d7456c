from . import catalog as catalog
