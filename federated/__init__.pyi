from . import key_flow as key_flow
from .aggregators import SelectiveEncryption as SelectiveEncryption
from .aggregators import selective_encryption as selective_encryption
from .averaging import build_weighted_fed_avg as build_weighted_fed_avg
from .checking import check_model as check_model
from .restoring import to_keras as to_keras
from .runtime import install as install
from .tff_models import tff_model as tff_model
