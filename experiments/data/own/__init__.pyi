from .loading import OwnData as OwnData
from .loading import load as load
