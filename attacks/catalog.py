"""The attacks by name, as data: importing this file imports no attack.

A new attack is one file, one entry here and one row in `docs/attacks.md`. It is then
offered by flags, covered by the conformance tests, and a member of `strongest`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attacks import words
from attacks.effort import Effort, Progress
from attacks.programs import Programs
from attacks.refusal import DoesNotApply
from selenc_tf import validation

if TYPE_CHECKING:
    from attacks.knowledge import AnyKnowledge, Attack, Reconstruction
    from federated.views import ServerView
    from selenc_tf.types import Seed

Sees: TypeAlias = Literal["message", "rounds", "cohort"]
"""What an attack is on: one client's message (or a published aggregate), messages of one
client from several rounds, or all messages of a round with the published aggregate."""

Kinds: TypeAlias = tuple[str, ...]

ANY: Kinds = ("classes", "binary", "values")
CLASSES: Kinds = ("classes",)
SENTENCES: Kinds = ("classes", "next_token")

BOTH = words.MODES
AWARE: tuple[words.Mode, ...] = ("mask_aware",)
_PUBLIC = frozenset({"public_examples"})

_GIVEN_BY: Mapping[str, str] = MappingProxyType(
    {
        "earlier": ": it compares several rounds (`--attack_rounds`)",
        "public_examples": ": it learns from them (`--attack_public_images`)",
    }
)
"""What an attack needs of the knowledge, what for, and which flag of a run gives it."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """An attack and what it is for.

    Attributes:
      build: "module:function" of the builder, which may take `mode`, `source`, `effort`,
        `progress` and `programs` (and `members` of an envelope) and gets those it takes.
      modes: What it can make of hidden entries.
      inputs: What the model must take: "pictures" [height, width, channels], any
        "numbers", "tokens", or the word of another modality.
      kinds: What the model may learn.
      finds_numbers: Whether it goes without known labels where those are numbers.
      needs: The fields of `Knowledge` without which it does not apply.
      infers: The fields of `Knowledge` that it infers: where they are known it does what
        another attack of the catalogue does.
      one_example: Whether it is for batches of one only.
      sees: What it is on.
      local_training: Whether it takes messages of several local steps.
      cost: "algebra" and "cheap" attacks are members of an envelope where they apply,
        the former first, because an exact result ends it; "costly" ones are not,
        because every member is made again for each rehearsal.
      envelope: Whether it is made of the other attacks; it is then for any model that
        one of them is for.
    """

    build: str
    modes: tuple[words.Mode, ...] = AWARE
    inputs: str = words.NUMBERS
    kinds: Kinds = CLASSES
    finds_numbers: bool = False
    needs: frozenset[str] = frozenset()
    infers: frozenset[str] = frozenset()
    one_example: bool = False
    sees: Sees = "message"
    local_training: bool = False
    cost: Literal["algebra", "cheap", "costly"] = "cheap"
    envelope: bool = False

    @property
    def is_member(self) -> bool:
        """Whether an envelope on a client's message or an aggregate has it.

        The attack on a cohort is about other examples: its knowledge counts those of
        all clients, and its result has them all.
        """
        return self.cost != "costly" and not self.envelope and self.sees != "cohort"

    @property
    def takes_rounds(self) -> bool:
        """Whether earlier views of the same examples are of use to it."""
        return self.sees == "rounds" or self.envelope


ATTACKS: Mapping[str, Entry] = MappingProxyType(
    {
        "dlg": Entry(
            "attacks.continuous.second_order.dlg:build_dlg",
            BOTH,
            kinds=ANY,
            finds_numbers=True,
            local_training=True,
        ),
        "idlg": Entry(
            "attacks.continuous.second_order.idlg:build_idlg",
            BOTH,
            infers=frozenset({"labels"}),
            one_example=True,
            local_training=True,
        ),
        # Its recipe takes thousands of iterations; `quick_inversion` searches the same
        # way in a hundred.
        "inverting_gradients": Entry(
            "attacks.pictures.first_order.inverting_gradients:build_inverting_gradients",
            BOTH,
            inputs=words.PICTURES,
            kinds=ANY,
            cost="costly",
        ),
        "quick_inversion": Entry(
            "attacks.pictures.first_order.quick_inversion:build_quick_inversion",
            BOTH,
            kinds=ANY,
        ),
        # Its recipe takes thousands of iterations too.
        "modern": Entry(
            "attacks.pictures.first_order.modern:build_modern",
            BOTH,
            inputs=words.PICTURES,
            cost="costly",
        ),
        # The same, for a group of starts.
        "gradinversion": Entry(
            "attacks.pictures.first_order.gradinversion:build_gradinversion",
            BOTH,
            inputs=words.PICTURES,
            kinds=ANY,
            cost="costly",
        ),
        "dense_inversion": Entry(
            "attacks.continuous.analytic.dense_inversion:build_dense_inversion",
            kinds=ANY,
            finds_numbers=True,
            cost="algebra",
        ),
        "feature_inversion": Entry(
            "attacks.continuous.features.feature_inversion:build_feature_inversion",
            cost="algebra",
        ),
        "feature_inversion_dct": Entry(
            "attacks.pictures.features.feature_inversion_dct:"
            "build_feature_inversion_dct",
            inputs=words.PICTURES,
            cost="algebra",
        ),
        # After those, because it may end in a search.
        "completion": Entry(
            "attacks.continuous.analytic.completion:build_completion",
            kinds=ANY,
            finds_numbers=True,
            cost="algebra",
        ),
        "r_gap": Entry(
            "attacks.continuous.analytic.r_gap:build_r_gap",
            inputs=words.PICTURES,
            one_example=True,
            cost="algebra",
        ),
        "activation_signs": Entry(
            "attacks.continuous.features.activation_signs:build_activation_signs",
            kinds=ANY,
            finds_numbers=True,
            one_example=True,
        ),
        "activation_signs_dct": Entry(
            "attacks.pictures.features.activation_signs_dct:build_activation_signs_dct",
            inputs=words.PICTURES,
            kinds=ANY,
            finds_numbers=True,
            one_example=True,
        ),
        "deep_signs": Entry(
            "attacks.continuous.features.deep_signs:build_deep_signs",
            kinds=ANY,
            finds_numbers=True,
            needs=_PUBLIC,
            one_example=True,
        ),
        "layer_peeling": Entry(
            "attacks.pictures.peeling.layer_peeling:build_layer_peeling",
            inputs=words.PICTURES,
            one_example=True,
        ),
        "imputation": Entry(
            "attacks.pictures.statistical.imputation:build_imputation", needs=_PUBLIC
        ),
        "learned_inverter": Entry(
            "attacks.pictures.statistical.learned_inverter:build_learned_inverter",
            needs=_PUBLIC,
        ),
        # A step is a gradient and a half for each number of an example.
        "posterior_regression": Entry(
            "attacks.pictures.statistical.posterior_regression:"
            "build_posterior_regression",
            needs=_PUBLIC,
            one_example=True,
        ),
        # Trains what `learned_inverter` trains once more; from there it ends where
        # `imputation` ends too (docs/attacks.md).
        "learned_start": Entry(
            "attacks.pictures.statistical.learned_inverter:build_learned_start",
            needs=_PUBLIC,
            cost="costly",
        ),
        "retrieval": Entry(
            "attacks.pictures.statistical.baselines:build_retrieval", needs=_PUBLIC
        ),
        "mean_picture": Entry(
            "attacks.pictures.statistical.baselines:build_mean_picture",
            kinds=ANY,
            finds_numbers=True,
            local_training=True,
        ),
        "multi_round": Entry(
            "attacks.continuous.second_order.multi_round:build_multi_round",
            BOTH,
            kinds=ANY,
            finds_numbers=True,
            needs=frozenset({"earlier"}),
            sees="rounds",
            local_training=True,
        ),
        "cohort": Entry(
            "attacks.continuous.second_order.cohort:build_cohort",
            kinds=ANY,
            finds_numbers=True,
            sees="cohort",
            local_training=True,
        ),
        "dager": Entry(
            "attacks.text.continuous.dager_fallback:build_dager",
            BOTH,
            inputs=words.TOKENS,
            kinds=SENTENCES,
            cost="algebra",
        ),
        "deep_spans": Entry(
            "attacks.text.discrete.deep_spans:build_deep_spans",
            AWARE,
            inputs=words.TOKENS,
            kinds=SENTENCES,
            cost="algebra",
        ),
        "pooled_words": Entry(
            "attacks.text.pooled.attack:build_pooled_words",
            inputs=words.TOKENS,
            one_example=True,
        ),
        "bag_of_words": Entry(
            "attacks.text.discrete.bag_of_words:build_bag_of_words",
            BOTH,
            inputs=words.TOKENS,
            kinds=SENTENCES,
            cost="algebra",
        ),
        "tiger": Entry(
            "attacks.text.continuous.tiger:build_tiger",
            BOTH,
            inputs=words.TOKENS,
            kinds=SENTENCES,
        ),
        # The same search as the next one by a distance that the head decides.
        "dlg_text": Entry(
            "attacks.text.continuous.matching_attack:build_dlg_text",
            BOTH,
            inputs=words.TOKENS,
            cost="costly",
        ),
        "tag": Entry(
            "attacks.text.continuous.matching_attack:build_tag",
            BOTH,
            inputs=words.TOKENS,
        ),
        "lamp_cos": Entry(
            "attacks.text.continuous.matching_attack:build_lamp_cos",
            BOTH,
            inputs=words.TOKENS,
        ),
        # As the one before, by another distance.
        "lamp_l1l2": Entry(
            "attacks.text.continuous.matching_attack:build_lamp_l1l2",
            BOTH,
            inputs=words.TOKENS,
            cost="costly",
        ),
        "strongest": Entry(
            "attacks.strongest:build_strongest",
            local_training=True,
            envelope=True,
        ),
    }
)
"""The attacks."""


def build(
    name: str,
    mode: words.Mode = "mask_aware",
    *,
    source: words.Source = 0,
    effort: Effort | None = None,
    progress: Progress | None = None,
    programs: Programs | None = None,
    attacks: Mapping[str, Entry] = ATTACKS,
) -> Attack:
    """Builds an attack of the catalogue.

    Args:
      name: Of the attack.
      mode: One of the entry's `modes`.
      source: One client's message by its index, or "aggregate".
      effort: How much it may work, each time; None for what it takes by itself.
      progress: Called now and then.
      programs: What is compiled already, shared with other attacks.
      attacks: The catalogue, of which an envelope has its members.

    Returns:
      The attack. It raises `DoesNotApply` where `why_not` has a reason, and where the
      attack itself finds that it does not fit the model, the target or the knowledge.

    Raises:
      ValueError: If there is no such attack or it has no such mode.
    """
    validation.check_in("name", name, tuple(attacks))
    entry = attacks[name]
    validation.check_in("mode", mode, entry.modes)
    builder = pkgutil.resolve_name(entry.build)
    shared = programs or Programs()
    options: dict[str, Any] = {
        "mode": mode,
        "source": source,
        "effort": effort,
        "progress": progress,
        "programs": shared,
    }
    taken = inspect.signature(builder).parameters
    given = {
        option: value
        for option, value in options.items()
        if option in taken and value is not None
    }

    @functools.cache
    def envelope_of(inputs: tuple[str, ...]) -> Attack:
        """The envelope of what is for such a model: others are not even imported."""
        members = {
            member: _as_member(
                offer,
                build(
                    member,
                    source=source,
                    effort=effort,
                    progress=progress,
                    programs=shared,
                    attacks=attacks,
                ),
            )
            for member, offer in sorted(
                attacks.items(), key=lambda item: item[1].cost != "algebra"
            )
            if offer.is_member and offer.inputs in inputs
        }
        if not members:
            raise DoesNotApply(f"No attack of the catalogue takes {inputs[-1]}.")
        made: Attack = builder(**given, members=members)
        return made

    def enveloped(
        view: ServerView, knowledge: AnyKnowledge, seed: Seed
    ) -> Reconstruction:
        inputs = tuple(knowledge.modality.inputs(knowledge.model))
        return envelope_of(inputs)(view, knowledge, seed)

    attack: Attack = enveloped if entry.envelope else builder(**given)
    return _refusing(
        _without_draws(attack, shared), lambda knowledge: why_not(entry, knowledge)
    )


def why_not(entry: Entry, knowledge: AnyKnowledge) -> str | None:
    """Why an attack does not apply, as far as that can be told without running it.

    Args:
      entry: The attack.
      knowledge: What the attacker knows.

    Returns:
      The reason, or None. Whether it fits the model's layers the attack finds out.
    """
    model, modality = knowledge.model, knowledge.modality
    offered = modality.inputs(model)
    # An envelope is for what its members are for.
    if entry.inputs not in offered and not entry.envelope:
        shape = " [height, width, channels]" if entry.inputs == words.PICTURES else ""
        return (
            f"`knowledge.model` must take {entry.inputs}{shape} for this attack, got "
            f"{offered[-1]} of shape {list(modality.shape(model))}"
        )
    if model.kind not in entry.kinds and not entry.envelope:
        return (
            f"`knowledge.model` must learn {' or '.join(entry.kinds)} for this attack, got "
            f"{model.kind}"
        )
    numbers = model.kind in words.NUMERIC_LABELS and knowledge.labels is None
    if numbers and not (entry.finds_numbers or entry.envelope):
        return (
            "`knowledge.labels` must be there for this attack on a model that learns "
            f"{model.kind}, got none"
        )
    if model.task.is_random and not knowledge.without_draws:
        return (
            "`knowledge.without_draws` must be declared for a model that draws random "
            "numbers (dropout, noise), whose seeds the attacker does not know"
        )
    if entry.one_example and knowledge.batch_size > 1:
        return (
            "`knowledge.batch_size` must be 1 for this attack, whose equations are for "
            f"a single example, got {knowledge.batch_size}"
        )
    missing = sorted(name for name in entry.needs if not getattr(knowledge, name))
    if missing:
        return (
            f"`knowledge.{missing[0]}` must be there for this attack, got none"
            f"{_GIVEN_BY.get(missing[0], '')}"
        )
    if knowledge.local_training is not None and not entry.local_training:
        return (
            "`knowledge.local_training` must be None for this attack, which is for "
            "messages of one gradient, got several local steps"
        )
    return None


def _without_draws(attack: Attack, programs: Programs) -> Attack:
    """The attack, on the model without what clients draw where that is declared."""

    def silent(view: ServerView, knowledge: AnyKnowledge, seed: Seed) -> Reconstruction:
        if knowledge.model.task.is_random and knowledge.without_draws:
            model = programs.of(knowledge.modality.without_draws, knowledge.model)
            knowledge = dataclasses.replace(knowledge, model=model)
        return attack(view, knowledge, seed)

    return silent


def _as_member(entry: Entry, attack: Attack) -> Attack:
    """The attack, where it does not repeat what another member does."""

    def repeats(knowledge: AnyKnowledge) -> str | None:
        known = [name for name in entry.infers if getattr(knowledge, name) is not None]
        return (
            f"{', '.join(known)} known: it would be another member" if known else None
        )

    return _refusing(attack, repeats)


def _refusing(attack: Attack, why: Callable[[AnyKnowledge], str | None]) -> Attack:
    """The attack, which raises `DoesNotApply` where there is a reason."""

    def refusing(
        view: ServerView, knowledge: AnyKnowledge, seed: Seed
    ) -> Reconstruction:
        reason = why(knowledge)
        if reason is not None:
            raise DoesNotApply(f"{reason}.")
        return attack(view, knowledge, seed)

    return refusing
