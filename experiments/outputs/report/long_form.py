"""`cells.csv`: a row for each example, attack, attacker and mask, for other programs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from experiments.outputs import (
    blind,
    ciphers,
    columns,
    message_bytes,
    reconstructions,
    text_tables,
    why,
)
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord, MemberRecord
from experiments.outputs.report.families import Family

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "run": "folder of the run",
        "settings": "what tells its settings from other runs', as flags; empty if nothing",
        "data": "what the data really is",
        "model": "the attacked model",
        "release": "what is published of a round",
        "clients": "clients of the attacked round",
        "target": "what is attacked: client, aggregate or cohort",
        "batch": "examples behind the attacked gradient",
        "after": "rounds of averaging behind the attacked weights",
        "metric": "what chose the hidden entries",
        "mask": "how clients came to one mask",
        "asked": "share that was asked to be hidden, 0 to 1",
        "share": "share really hidden, 0 to 1",
        "hidden": "entries really hidden",
        "entries": "entries of the gradient",
        "seed": "of the run",
        "example": "index in the data set",
        "attack": "its name",
        "member_of": "the attack that tried this one; empty for one made by itself",
        "attacker": "naive or mask_aware",
        "status": "ok, does_not_apply, failed, not_run, or diverged (no finite number)",
        "reason": "why there is no number",
        "chosen": "what an attack that chooses believed",
        "measure": "what `leak` is",
        "leak": "the main measure, larger = more leaked; inf for equal pictures or rows",
        "exact": "1 if recovered exactly (sentences: whole), else 0; empty if not measured",
        "blind": "the same measure of a guess that is made without a gradient",
        "chance": "what chance reaches of it: the best of random public examples, else "
        "noise",
        "better_by": "the measure by which it is better than that guess; empty if none, "
        "and of look-ups",
        "better": "that measure",
        "better_blind": "that measure of the guess",
        "columns_read": "columns of a row that are read exactly; empty if not measured",
        "columns_of": "of how many columns",
        "columns_by_one_value": "how many one value for all rows is expected to have",
        "seconds": "of the attack",
        "cipher": "of the run; empty if that is not known",
        "cipher_bytes": "ciphertext of the attacked message, as sent",
        "clear_bytes": "its visible entries, 4 bytes each",
        "mask_bytes": "what the client sends of its own mask, a bit for each entry; 0 "
        "where the server tells the mask",
        "file": "the reconstruction, in `reconstructions/` of the run",
    }
)
"""The columns in their order, and what each says."""


def to_csv(families: Sequence[tuple[Family, Leaks]]) -> str:
    """The long form of families of runs, each with what is measured there."""
    lines = [[row[name] for name in COLUMNS] for row in rows(families)]
    return text_tables.to_csv([list(COLUMNS), *lines])


def rows(families: Sequence[tuple[Family, Leaks]]) -> Iterator[dict[str, Any]]:
    """The same as values by the names of the columns."""
    for family, leaks in families:
        yield from _rows(family, leaks)


def _rows(family: Family, leaks: Leaks) -> Iterator[dict[str, Any]]:
    for run in family.runs:
        # In the order of a table's values.
        attacked = sorted(
            (record for record in run.records if isinstance(record, AttackRecord)),
            key=lambda record: (record.cell.seed, record.image_index),
        )
        for record in attacked:
            row = {**_place(record, leaks), **_measured(record, record, leaks)}
            row |= {"run": run.name, "settings": family.differs}
            kept = reconstructions.path_of(run.path, record.key)
            yield {**row, "file": kept.name if kept.exists() else ""}
            for member in record.members:
                yield {
                    **row,
                    **_measured(record, member, leaks),
                    "attack": member.name,
                    "member_of": record.attack,
                    "chosen": "",
                    "file": "",
                }


def _place(record: AttackRecord, leaks: Leaks) -> dict[str, Any]:
    cell, guess = record.cell, blind.value(record, leaks.main.key)
    by_chance = blind.chance(record, leaks.main.key)
    sent = record.details.get("ciphertext_bytes")
    clear = message_bytes.ENTRY_BYTES * (record.parameters - record.hidden)
    return {
        "data": cell.dataset,
        "model": cell.model,
        "release": cell.release,
        "clients": cell.num_clients,
        "target": record.target,
        "batch": record.batch_size,
        "after": record.weights_after_rounds,
        "metric": cell.metric,
        "mask": cell.agreement,
        "asked": cell.encryption_ratio,
        "share": record.hidden_share,
        "hidden": record.hidden,
        "entries": record.parameters,
        "seed": cell.seed,
        "example": record.image_index,
        "attack": record.attack,
        "member_of": "",
        "attacker": record.attacker,
        "chosen": record.chosen or "",
        "blind": None if math.isnan(guess) else guess,
        "chance": None if math.isnan(by_chance) else by_chance,
        "cipher": ciphers.of([record]),
        "cipher_bytes": sent,
        "clear_bytes": None if sent is None else clear,
        "mask_bytes": None if sent is None else message_bytes.of_mask(record),
    }


def _measured(
    record: AttackRecord, one: AttackRecord | MemberRecord, leaks: Leaks
) -> dict[str, Any]:
    name = one.name if isinstance(one, MemberRecord) else one.chosen or one.attack
    by = None
    if one.status == "ok" and name not in leaks.lookups:
        by = blind.decided(record, one.measures, leaks)
    value = float(one.measures.get(leaks.main.key, math.nan))
    status = "diverged" if one.status == "ok" and math.isnan(value) else one.status
    exact = leaks.is_exact(one.measures) if status == "ok" else None
    return {
        "status": status,
        "reason": why.in_words(one.reason),
        "measure": leaks.main.key,
        "leak": value if status == "ok" else None,
        "exact": None if exact is None else int(exact),
        "better_by": by.key if by else "",
        "better": float(by.measures[by.key]) if by else None,
        "better_blind": by.guess if by else None,
        **_columns(record, one),
        "seconds": one.seconds,
    }


def _columns(record: AttackRecord, one: AttackRecord | MemberRecord) -> dict[str, Any]:
    read, of = columns.count(one) or (None, None)
    guess = None if of is None else columns.by_one_value(record)
    return {"columns_read": read, "columns_of": of, "columns_by_one_value": guess}
