from . import suite as suite
