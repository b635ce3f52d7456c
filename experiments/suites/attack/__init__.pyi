from . import request as request
from . import suite as suite
