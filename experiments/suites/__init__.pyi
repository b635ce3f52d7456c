from . import attack as attack
from . import lattice as lattice
from . import masks as masks
from . import matching as matching
from . import measurement as measurement
from . import positions as positions
from . import rounds as rounds
from . import token_positions as token_positions
