"""The spans of a model's places, as far as what is visible determines them."""

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
    groups: Sequence[Sequence[Place]],
    most: int,
    enough: Place | None = None,
) -> dict[Place, Subspace]:
    """Reads spans, place by place, until there are enough.

    Runs on: attacker. Sees: the visible entries.

    Args:
      model: The model.
      target: The gradient.
      batch_size: b: with the model's length it bounds the rank.
      groups: The places, in the order in which they are tried: of each group the first
        that is determined. Those behind its first one are tried where the longest
        sentences would determine them: they are large, and completion takes long.
      most: How many are enough.
      enough: A place that is enough by itself.

    Returns:
      Those that hold all vectors. Where no span is determined, the best that fits alone,
      for ranking; empty where there is none either.
    """
    vague = []
    found: dict[Place, Subspace] = {}
    for group in groups:
        for place in group:
            least = max((one.rank for one in found.values()), default=1)
            if place != group[0]:
                least = max(least, _longest(model, batch_size, place))
            one = _span(model, target, place, batch_size, least)
            if one is not None and one.exact:
                found = fullest({**found, place: one})
                break
            if one is not None:
                vague.append((place, one))
        if enough in found or len(found) == most:
            break
    if not found and vague:
        return dict([max(vague, key=lambda one: one[1].spare)])
    return found


def fullest(found: dict[Place, Subspace]) -> dict[Place, Subspace]:
    """Those that hold all vectors: a classifier's last block has few positions'."""
    most = max((one.rank for one in found.values()), default=0)
    return {place: one for place, one in found.items() if one.rank >= _NEARLY * most}


def lowest(
    model: TokenModel,
    target: target_lib.Target,
    batch_size: int,
    groups: Sequence[Sequence[Place]],
    mode: target_lib.Mode,
) -> dict[Place, Subspace]:
    """The spans of all of some places, whether counting says that they can be read or not.

    Runs on: attacker. Sees: the visible entries.

    Args:
      model: The model.
      target: The gradient.
      batch_size: b: with the model's length it bounds the rank.
      groups: The places; of each group the first that is exact and tells vectors, or else
        the first of which there is any. Where there is one, others are looked at only if
        the longest sentences would determine them.
      mode: What to do about hidden entries.

    Returns:
      Those of which something is to be read.
    """
    found: dict[Place, Subspace] = {}
    for group in groups:
        some: dict[Place, Subspace] = {}
        for place in group:
            if some and not _counted(model, target, place, batch_size):
                continue
            one = at(model, target, place, batch_size, mode)
            if one is not None:
                some[place] = one
            if one is not None and one.exact and (one.spare >= 1 or one.soft):
                some = {place: one}
                break
        found.update(list(some.items())[:1])
    return found


def at(
    model: TokenModel,
    target: target_lib.Target,
    place: Place,
    batch_size: int,
    mode: target_lib.Mode,
) -> Subspace | None:
    """The span of a place, completed or with zeros for what is hidden; None for none."""
    shown = places_lib.shown(target, target.matched, model.spec, model.structure, place)
    if not shown.values.size:
        return None
    if mode == "naive":
        return subspace.zero_filled(shown)
    return subspace.of(shown, min(batch_size * model.length, len(shown.values)))


def _longest(model: TokenModel, batch_size: int, place: Place) -> int:
    """The rank of a batch of the longest sentences, or the most that is less than all."""
    width = places_lib.width(model.structure, place)
    return min(batch_size * model.length, width - 1)


def _counted(
    model: TokenModel, target: target_lib.Target, place: Place, batch_size: int
) -> bool:
    shown = places_lib.shown(target, target.matched, model.spec, model.structure, place)
    rank = _longest(model, batch_size, place)
    return span_identifiability(shown.seen, rank).determined


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
    whole = shown.values.size > 0 and bool(shown.seen.all())
    count = span_identifiability(shown.seen, least, shown.heads)
    if not whole and not count.determined:
        return None
    most = min(batch_size * model.length, len(shown.values) - 1)
    one = subspace.of(shown, most)
    return one if one is not None and one.spare >= 1 else None
