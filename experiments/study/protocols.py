"""The ways in which a cohort agrees on a mask, and which of them a metric allows."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from experiments.outputs.records import OWN_MASK
from selenc_tf import catalog

AUTO = "auto"
"""The first protocol that a metric allows."""

OWN = OWN_MASK
"""How a cohort of one comes to its mask where nothing public will do."""


class Protocol(NamedTuple):
    """A way to agree on a mask.

    Attributes:
      allows: The fields of `ScoreContext` that a metric may need under it.
      is_round: Whether clients take part, in a round before the training.
    """

    allows: frozenset[str]
    is_round: bool


_EVERYTHING = frozenset[str]().union(
    *(metric.needs for metric in catalog.METRICS.values())
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "public_seed": Protocol(frozenset(), is_round=False),
        "public_weights": Protocol(frozenset({"weights"}), is_round=False),
        "previous_aggregate": Protocol(frozenset({"gradient"}), is_round=False),
        "score_sum": Protocol(_EVERYTHING, is_round=True),
        "interleaved_lists": Protocol(_EVERYTHING, is_round=True),
        "union": Protocol(_EVERYTHING, is_round=True),
    }
)
"""What `--mask_agreement` offers; `auto` takes the first that a metric allows."""


def fitting(metric: str) -> tuple[str, ...]:
    """The protocols that a metric of `catalog.METRICS` allows."""
    needs = catalog.METRICS[metric].needs
    return tuple(name for name, offer in PROTOCOLS.items() if needs <= offer.allows)


def taken(agreement: str, metric: str) -> str:
    """The protocol for a metric: the one that is named, or the first for `AUTO`."""
    return fitting(metric)[0] if agreement == AUTO else agreement


def alone(metric: str) -> str:
    """How a cohort of one comes to its mask: `OWN`, or "public_seed" if that will do."""
    return OWN if catalog.METRICS[metric].needs else "public_seed"
