"""The attacks by name, for flags and for the conformance tests.

A new attack is one file, one line here and one row in `docs/attacks.md`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

from attacks import effort, knowledge, strongest, target
from attacks.continuous.analytic import completion, dense_inversion, r_gap
from attacks.continuous.second_order import cohort, dlg, idlg, multi_round
from attacks.pictures.first_order import (
    gradinversion,
    inverting_gradients,
    modern,
    quick_inversion,
)
from attacks.pictures.peeling import layer_peeling
from attacks.pictures.statistical import baselines, imputation, learned_inverter

Sees: TypeAlias = Literal["message", "rounds", "cohort"]
"""What an attack is on: one client's message (or a published aggregate), messages of one
client from several rounds, or all messages of a round with the published aggregate."""

BOTH = target.MODES
AWARE: tuple[target.Mode, ...] = ("mask_aware",)
_PUBLIC = frozenset({"public_pictures"})


class Entry(NamedTuple):
    """An attack and what it is for.

    Attributes:
      build: `(mode, *, source, effort, progress) -> Attack`.
      modes: What it can make of hidden entries.
      needs: The fields of `Knowledge` without which it refuses to work.
      one_picture: Whether it is for batches of one only.
      sees: What it is on.
      local_training: Whether it takes messages of several local steps.
    """

    build: Callable[..., knowledge.Attack]
    modes: tuple[target.Mode, ...] = AWARE
    needs: frozenset[str] = frozenset()
    one_picture: bool = False
    sees: Sees = "message"
    local_training: bool = False


def _aware(build: Callable[..., knowledge.Attack]) -> Callable[..., knowledge.Attack]:
    """For attacks that know masks by nature: without the argument `mode`."""

    def of_mode(mode: target.Mode = "mask_aware", **options: Any) -> knowledge.Attack:
        del mode
        return build(**options)

    return of_mode


def _closed_form(
    build: Callable[..., knowledge.Attack],
) -> Callable[..., knowledge.Attack]:
    """For attacks that do not search: without `effort` and `progress` too."""

    def of_mode(
        mode: target.Mode = "mask_aware",
        *,
        source: target.Source = 0,
        effort: effort.Effort | None = None,
        progress: effort.Progress | None = None,
    ) -> knowledge.Attack:
        del mode, effort, progress
        return build(source=source)

    return of_mode


def _all_messages(
    mode: target.Mode = "mask_aware", *, source: target.Source = 0, **options: Any
) -> knowledge.Attack:
    del mode, source
    return cohort.build_cohort(**options)


ATTACKS: Mapping[str, Entry] = MappingProxyType(
    {
        "dlg": Entry(dlg.build_dlg, BOTH, local_training=True),
        "idlg": Entry(idlg.build_idlg, BOTH, one_picture=True, local_training=True),
        "inverting_gradients": Entry(
            inverting_gradients.build_inverting_gradients, BOTH
        ),
        "quick_inversion": Entry(quick_inversion.build_quick_inversion, BOTH),
        "modern": Entry(modern.build_modern, BOTH),
        "gradinversion": Entry(gradinversion.build_gradinversion, BOTH),
        "dense_inversion": Entry(_closed_form(dense_inversion.build_dense_inversion)),
        "completion": Entry(_aware(completion.build_completion)),
        "r_gap": Entry(_closed_form(r_gap.build_r_gap), one_picture=True),
        "layer_peeling": Entry(
            _aware(layer_peeling.build_layer_peeling), one_picture=True
        ),
        "imputation": Entry(_aware(imputation.build_imputation), needs=_PUBLIC),
        "learned_inverter": Entry(
            _aware(learned_inverter.build_learned_inverter), needs=_PUBLIC
        ),
        "learned_start": Entry(
            _aware(learned_inverter.build_learned_start), needs=_PUBLIC
        ),
        "mean_picture": Entry(_aware(baselines.build_mean_picture)),
        "retrieval": Entry(_aware(baselines.build_retrieval), needs=_PUBLIC),
        "multi_round": Entry(
            multi_round.build_multi_round, BOTH, sees="rounds", local_training=True
        ),
        "cohort": Entry(_all_messages, sees="cohort", local_training=True),
        "strongest": Entry(_aware(strongest.build_strongest)),
    }
)
"""The attacks."""
