"""Which tokens were looked up, from a token table that is the head too.

As a head the table has for every token v the gradient sum over t of (p_tv - y_tv) h_t, in
the span of the vectors h_t that it multiplied. A lookup adds the gradient of the token's
embedding, which is in no such span. So where all rows are other than zero, those of the
sentence's tokens are the ones outside (this project).
"""

import numpy as np

from attacks.continuous.features import completing
from attacks.text.spans import balance
from attacks.text.spans.places import Shown
from attacks.text.spans.subspace import Subspace

_CHUNK = 2000


def outside(table: Shown, span: Subspace) -> np.ndarray:
    """How far the columns of a table are from the span of a head's inputs.

    Runs on: attacker. Sees: the visible entries.

    Args:
      table: Of the token table, [d, v].
      span: Of the head's inputs.

    Returns:
      float64 [v], the logarithm of the share of a column that is outside: 0 where too few
      of its entries are visible to tell, float32's rounding at the least.
    """
    values, seen = table.values[span.rows].T, table.seen[span.rows].T
    found = np.zeros(len(values))
    for at in range(0, len(values), _CHUNK):
        part = slice(at, at + _CHUNK)
        weights = seen[part].astype(np.float64)
        inside = completing.solve_rows(values[part], weights, span.basis) @ span.basis.T
        rest = np.linalg.norm(weights * (values[part] - inside), axis=1)
        norms = np.linalg.norm(values[part], axis=1)
        share = rest / np.maximum(norms, np.finfo(np.float64).tiny)
        told = np.count_nonzero(seen[part], axis=1) > span.rank
        logs = np.log(np.maximum(share, balance.ROUNDING))
        found[part] = np.where(told, logs, 0.0)
    return found


def may_be(outside: np.ndarray) -> np.ndarray:
    """The tokens that are not told to be inside, bool [v].

    Nearly all tokens of a vocabulary are absent: their middle is what rounding and an
    incomplete span leave, and halfway from there to all is the line.
    """
    told = outside[outside < 0]
    return outside > (np.median(told) / 2 if len(told) else -np.inf)
