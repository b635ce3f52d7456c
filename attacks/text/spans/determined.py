"""The lowest places of a model whose spans are determined by what is visible."""

from collections.abc import Sequence

from attacks import target as target_lib
from attacks.text.spans import places as places_lib
from attacks.text.spans import subspace
from attacks.text.spans.places import Place
from attacks.text.spans.subspace import Subspace
from selenc_tf.distance.span_identifiability import span_identifiability
from selenc_tf.models.text.token_model import TokenModel

_NEARLY = 0.9


def read(
    model: TokenModel,
    target: target_lib.Target,
    batch_size: int,
    candidates: Sequence[Place],
    most: int,
    enough: Place | None = None,
) -> dict[Place, Subspace]:
    """Reads spans, place by place, until there are enough.

    Runs on: attacker. Sees: the visible entries.

    Args:
      model: The model.
      target: The gradient.
      batch_size: b: with the model's length it bounds the rank.
      candidates: The places, in the order in which they are tried.
      most: How many are enough.
      enough: A place that is enough by itself.

    Returns:
      Those that hold all vectors. Where no span is determined, the best that fits alone,
      for ranking; empty where there is none either.
    """
    vague = []
    found: dict[Place, Subspace] = {}
    for place in candidates:
        least = max((one.rank for one in found.values()), default=1)
        one = _span(model, target, place, batch_size, least)
        if one is not None and not one.exact:
            vague.append((place, one))
        elif one is not None:
            found = fullest({**found, place: one})
        if enough in found or len(found) == most:
            break
    if not found and vague:
        return dict([max(vague, key=lambda one: one[1].spare)])
    return found


def fullest(found: dict[Place, Subspace]) -> dict[Place, Subspace]:
    """Those that hold all vectors: a classifier's last block has few positions'."""
    most = max((one.rank for one in found.values()), default=0)
    return {place: one for place, one in found.items() if one.rank >= _NEARLY * most}


def _span(
    model: TokenModel,
    target: target_lib.Target,
    place: Place,
    batch_size: int,
    least: int,
) -> Subspace | None:
    """The span of a place, or where entries are too few for it the best that fits."""
    shown = places_lib.shown(target, target.matched, model.spec, model.structure, place)
    # Completion takes minutes to find what counting says at once.
    if not span_identifiability(shown.seen, least).determined:
        return None
    most = min(batch_size * model.length, len(shown.values) - 1)
    one = subspace.of(shown, most)
    return one if one is not None and one.spare >= 1 else None
