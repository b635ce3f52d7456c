from . import effort as effort
from . import prediction as prediction
from . import result as result
