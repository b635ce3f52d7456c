"""Words that attacks, their catalogue and the records share; imports nothing heavy."""

from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["naive", "mask_aware"]
"""How hidden entries are treated.

`naive` takes them for zeros and matches all n entries, as most published evaluations
do: it is a baseline that flatters the defence. `mask_aware` compares only what it sees.
Naive attacks are the published ones; what this project adds is in mask-aware ones alone,
so that the two may differ with nothing hidden.
"""

MODES: tuple[Mode, ...] = ("naive", "mask_aware")

Source: TypeAlias = int | Literal["aggregate"]
"""What is attacked: the message of one client, by index, or the published aggregate."""

NUMBERS, PICTURES, TOKENS = "numbers", "pictures", "tokens"
"""What the model of an attack takes: numbers of any shape, [height, width, channels], or
tokens. Modalities of other folders have words of their own (`Modality.inputs`)."""

NUMERIC_LABELS = ("binary", "values")
"""Kinds of models whose labels are numbers, which an attacker has to know or to find."""

Status: TypeAlias = Literal["ok", "does_not_apply", "failed", "not_run"]
"""How an attack ended: with a result; without, because it does not fit the model, the
target or the knowledge; without, because its numbers or the machine's memory gave out;
not tried, because another one behind the same choice was exact.
"""

STATUSES: tuple[Status, ...] = ("ok", "does_not_apply", "failed", "not_run")

ChosenBy: TypeAlias = Literal["rehearsal", "criterion", "prior", "order"]
"""What chose among several results: how well the attacks did on messages that the
attacker made; the error on the visible entries; that a guess needs no gradient; or that
it came first."""
