"""Makes, hands out, rotates, forgets and names the secret keys of a cohort.

    python -m experiments.keys --action=make --keys=holder/cohort.key --max_clients=64
    python -m experiments.keys --action=hand_out --keys=holder/cohort.key --to=client-1
    python -m experiments.keys --action=list --keys=client-1/cohort.key

It runs where keys are: at the key holder and at clients, never at the server. It prints
public names and no key.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TextIO

from experiments import study
from experiments.study import command, flag_table, key_places, places
from experiments.study.flag_table import at_least, flag, within
from selenc_tf import catalog


def _make(asked: "Keys") -> Iterator[str]:
    return study.key_actions.make(
        asked.path, asked.cipher, asked.max_clients, asked.codec_bits, asked.rounds
    )


def _hand_out(asked: "Keys") -> Iterator[str]:
    return study.key_actions.hand_out(asked.path, asked.to)


def _rotate(asked: "Keys") -> Iterator[str]:
    return study.key_actions.rotate(
        asked.path, asked.cipher, asked.max_clients, asked.codec_bits, asked.rounds
    )


def _forget(asked: "Keys") -> Iterator[str]:
    return study.key_actions.forget(asked.path, asked.before_round)


def _list(asked: "Keys") -> Iterator[str]:
    return study.key_actions.describe(asked.path)


ACTIONS: Mapping[str, Callable[["Keys"], Iterator[str]]] = MappingProxyType(
    {
        "make": _make,
        "hand_out": _hand_out,
        "rotate": _rotate,
        "forget": _forget,
        "list": _list,
    }
)
"""What can be done, by name: each gives the lines that are printed."""


@dataclasses.dataclass(frozen=True)
class Keys:
    """What is done with which keys."""

    action: str = flag(
        "action",
        "list",
        "What to do: make a key or a series; copy them into a client's folder; add to a "
        "series; delete; or name what is there.",
        choices=ACTIONS,
    )
    path: str = flag(
        "keys",
        "",
        "The key file, or the folder of a series of keys.",
        rule=places.check_path,
    )
    rounds: int = flag(
        "rounds",
        0,
        "With --action=make: 0 for one key that serves a whole run, or how many keys to "
        "make, one a round. With --action=rotate: how many to add.",
        rule=at_least(0),
    )
    to: str = flag(
        "to",
        "",
        "With --action=hand_out: the folder of one client.",
        rule=places.check_path,
    )
    before_round: int = flag(
        "before_round",
        0,
        "With --action=forget: the first round whose key stays.",
        rule=at_least(0),
    )
    everything: bool = flag(
        "everything", False, "With --action=forget: delete the key or the whole series."
    )
    codec_bits: int = flag(
        "codec_bits",
        16,
        "Bits of an encrypted value, 4 to 32, for which the key is made.",
        rule=within(4, 32),
    )
    max_clients: int = flag(
        "max_clients", 64, "The largest cohort, as for the process.", rule=at_least(2)
    )
    cipher: str = flag(
        "cipher",
        "tf_shell_bgv",
        "The cipher; the insecure one is for comparison.",
        choices=catalog.CIPHERS,
    )


def execute(
    asked: Keys,
    _: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Does what was asked, says what is there now, and gives the exit status."""

    def work(_: None) -> int:
        try:
            for line in ACTIONS[asked.action](asked):
                print(line, file=output, flush=True)
        except (ValueError, OSError) as error:
            raise ValueError(_by_flags(str(error), asked.action)) from error
        return 0

    return command.perform(lambda: flag_table.check(asked, _together), work, errors)


def _by_flags(sentence: str, action: str) -> str:
    """What the key store says of its arguments, by the names of the flags."""
    written = "`--to`" if action == "hand_out" else "`--keys`"
    named = {"`path`": written, "`folder`": "`--to`", "`keys`": "`--keys`"}
    for argument, flag_name in named.items():
        sentence = sentence.replace(argument, flag_name)
    return sentence


USED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "make": ("rounds", "codec_bits", "max_clients", "cipher"),
        "hand_out": ("to",),
        "rotate": ("rounds", "codec_bits", "max_clients", "cipher"),
        "forget": ("before_round", "everything"),
        "list": (),
    }
)
"""The flags that an action looks at, beside `--keys`."""


def _together(asked: Keys) -> Iterator[str]:
    if asked.action not in ACTIONS:
        return
    changed = {
        field.metadata["flag"].name
        for field in dataclasses.fields(asked)
        if getattr(asked, field.name) != field.default
    }
    for name in sorted(changed - {"action", "keys", *USED[asked.action]}):
        users = [action for action, used in USED.items() if name in used]
        yield (
            f"`--{name}` goes with `--action={'` or `--action='.join(users)}`, and would "
            f"do nothing with `--action={asked.action}`. Leave it out."
        )
    problems = [*_missing(asked)]
    yield from problems or key_places.problems(
        asked.action,
        asked.path,
        asked.to,
        series=asked.rounds > 0,
        part=asked.before_round > 0,
    )


def _missing(asked: Keys) -> Iterator[str]:
    if not asked.path:
        yield "`--keys` must be given: a key file, or the folder of a series of keys."
    if asked.action == "hand_out" and not asked.to:
        yield "`--to` must be given with `--action=hand_out`: the folder of one client."
    if asked.action == "forget" and (asked.before_round > 0) == asked.everything:
        yield (
            "`--action=forget` takes either `--before_round` of 1 or more, or "
            "`--everything`."
        )
    if asked.action == "rotate" and asked.rounds < 1:
        yield "`--rounds` must be at least 1 with `--action=rotate`, got 0."


if __name__ == "__main__":
    command.start(Keys, execute)
