from . import folder as folder
from . import reading as reading
from . import writing as writing
