from . import key_flow as key_flow
from .aggregators import SelectiveEncryption as SelectiveEncryption
from .aggregators import selective_encryption as selective_encryption
from .learning import to_tff_model as to_tff_model
from .runtime import install as install
