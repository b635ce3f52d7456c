"""How much of the catalogue of attacks a result rests on."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from attacks import catalog, words
from experiments.outputs import blind
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord

_TEXT = "text"

_WAYS: Mapping[str, str] = MappingProxyType(
    {
        "ok": "{} tried",
        "failed": "{} without a result",
        "not_run": "{} not run, as another was exact",
        "does_not_apply": "{} did not apply",
    }
)
"""How attacks ended, from the most that can come of them."""


def of_catalogue(records: Iterable[AttackRecord], leaks: Leaks) -> str:
    """Of how many attacks of the catalogue how many were tried, and how many left out.

    Args:
      records: Of what was attacked; what ran on an empty message was no try.
      leaks: What is measured there.

    Returns:
      A part of a sentence.
    """
    offered = set(_offered(leaks))
    ended: dict[str, set[str]] = {}
    for name, status in _ended(records):
        if name in offered:
            ended.setdefault(name, set()).add(status)
    best = [next(way for way in _WAYS if way in of) for of in ended.values()]
    told = [
        said.format(best.count(way)) for way, said in _WAYS.items() if best.count(way)
    ]
    left = len(offered) - len(best)
    told += [f"{left} left out"] if left else []
    kind = (
        "texts" if leaks.modality == _TEXT else "rows" if leaks.columns else "pictures"
    )
    return f"of the catalogue's {len(offered)} attacks for {kind} {', '.join(told)}"


def _offered(leaks: Leaks) -> Iterator[str]:
    """Those that take such examples; what is made of others is none of its own."""
    takes = {words.TOKENS} if leaks.modality == _TEXT else {words.NUMBERS}
    if leaks.modality != _TEXT and not leaks.columns:
        takes.add(words.PICTURES)
    for name, entry in catalog.ATTACKS.items():
        if not entry.envelope and entry.inputs in takes:
            yield name


def _ended(records: Iterable[AttackRecord]) -> Iterator[tuple[str, str]]:
    for one in records:
        if not blind.shows_nothing(one):
            yield one.attack, one.status
            yield from ((each.name, each.status) for each in one.members)
