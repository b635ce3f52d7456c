"""Measures what the docs quote.

    python -m experiments.benchmark --suite=round
    python -m experiments.benchmark --suite=lattice --values=1100000,11000000,110000000
    python -m experiments.benchmark --suite=masks --values=110000000 --repetitions=3
    python -m experiments.benchmark --suite=attack --torch_python=torch-env/bin/python

Everything that is compared is timed in alternation in one process, so that a machine
whose speed drifts does not favour one side.
"""

import pathlib
import sys
from collections.abc import Mapping, Sequence

from absl import app, flags

from experiments.outputs import environment
from experiments.run import choices
from experiments.study import flags as flags_lib
from experiments.study import settings as settings_lib
from experiments.suites import matching, positions, rounds, token_positions
from experiments.suites.attack import request as attack_request
from experiments.suites.attack import suite as attack
from experiments.suites.lattice import suite as lattice
from experiments.suites.masks import suite as masks
from experiments.suites.measurement import Suite, print_table
from selenc_tf import validation

SUITES: Mapping[str, Suite] = {"round": rounds.run, "matching": matching.run}
"""The suites by name."""

LATTICE = "lattice"
"""A suite that prints and writes tables of its own."""

MASKS, POSITIONS, ATTACK = "masks", "positions", "attack"
"""Suites that print tables of their own."""


def main(argv: Sequence[str]) -> int:
    """Runs a suite and prints its table; the entry point of the command.

    Args:
      argv: What absl left over.

    Returns:
      The exit status: 0, or 2 for flags that cannot be used.
    """
    values = flags.FLAGS
    try:
        if len(argv) > 1:
            raise settings_lib.SettingsError(f"Flags only, got {argv[1]!r}.")
        validation.check_in(
            "--suite", values.suite, (*SUITES, LATTICE, MASKS, POSITIONS, ATTACK)
        )
        validation.check_at_least("--repetitions", values.repetitions, 3)
        sizes = _sizes(values.values)
        for name in values.attack_cases:
            validation.check_in("--attack_cases", name, tuple(attack.CASES))
        settings = flags_lib.to_settings(values)
        settings_lib.check(settings, choices())
    except ValueError as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 2
    if values.suite == LATTICE:
        command = " ".join(("python -m experiments.benchmark", *sys.argv[1:]))
        folder = pathlib.Path(values.output)
        request = lattice.Request(sizes, values.repetitions, folder, command)
        lattice.run(request, sys.stdout)
        return 0
    if values.suite == MASKS:
        masks.run(masks.Request(sizes, values.repetitions), sys.stdout)
        return 0
    if values.suite == ATTACK:
        attack.run(
            attack_request.Request(
                values.torch_python,
                values.repetitions,
                values.attacked_pictures,
                cases=tuple(values.attack_cases),
            ),
            sys.stdout,
        )
        return 0
    if values.suite == POSITIONS:
        positions.run(settings, sys.stdout)
        token_positions.run(
            settings.attack.num_images,
            settings.encryption.ratios,
            settings.seed,
            sys.stdout,
        )
        return 0
    described = environment.describe()
    print(
        f"{described['cpu']['cores']} cores, {described['cpu']['model']}, "
        f"{', '.join(described['devices'])}"
    )
    print_table(SUITES[values.suite](settings, values.repetitions), sys.stdout)
    return 0


def _sizes(texts: Sequence[str]) -> tuple[int, ...]:
    """The lengths of vectors that were asked for."""
    try:
        sizes = tuple(sorted({int(text) for text in texts}))
    except ValueError:
        raise settings_lib.SettingsError(
            "`--values` must be whole numbers separated by commas, got "
            f"{','.join(texts)!r}. For example --values=1000000,11000000."
        ) from None
    validation.check_at_least("--values", min(sizes, default=0), 1)
    return sizes


if __name__ == "__main__":
    flags_lib.define(flags.FLAGS)
    flags.adopt_module_key_flags(flags_lib)
    flags.DEFINE_string(
        "suite",
        "round",
        f"What to measure: {', '.join((*SUITES, LATTICE, MASKS, POSITIONS, ATTACK))}.",
    )
    flags.DEFINE_integer("repetitions", 15, "How often each side is timed.")
    flags.DEFINE_list(
        "values",
        ["1000000"],
        "Lengths of the vectors of --suite=lattice and --suite=masks.",
    )
    flags.DEFINE_string(
        "output", "runs/lattice", "Where --suite=lattice writes its table and figure."
    )
    flags.DEFINE_string(
        "torch_python",
        "",
        "The interpreter of an environment with PyTorch, for --suite=attack.",
    )
    flags.DEFINE_integer(
        "attacked_pictures",
        5,
        "How many pictures --suite=attack recovers for the time to a PSNR; at most 3 "
        "of them where one takes a minute.",
        lower_bound=0,
    )
    flags.DEFINE_list(
        "attack_cases",
        list(attack.CASES),
        f"What --suite=attack measures, of {', '.join(attack.CASES)}.",
    )
    app.run(main)
