"""Trains the language models that no package carries, once; their weights are kept.

    python -m experiments.pretrain --model=gpt2_small_scratch

Stopped and started again, it goes on after the last finished epoch. What is made, and its
loss on sentences that were held out, stands in every result that uses it.
"""

import dataclasses
import sys
from collections.abc import Sequence
from typing import TextIO

from experiments.study import command, flag_table, stopping
from experiments.study.flag_table import at_least, flag

MODELS = ("gpt2_small_scratch",)
"""What is trained here."""


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """What is trained, and for how long."""

    model: str = flag("model", MODELS[0], "The model.", choices=MODELS)
    epochs: int = flag(
        "epochs", 3, "Times that every sentence is seen.", rule=at_least(1)
    )
    seed: int = flag("seed", 0, "Seed of weights and order.", rule=at_least(0))


def execute(
    asked: Pretraining,
    _: Sequence[str],
    output: TextIO = sys.stdout,
    errors: TextIO = sys.stderr,
) -> int:
    """Trains what was asked for, says what came of it, and gives the exit status."""

    def work(_: None) -> int:
        from experiments.data.text import catalog, pretraining, scratch

        def told(line: str) -> None:
            print(line, file=errors, flush=True)

        kept = pretraining.train(
            asked.model,
            scratch.SIZES,
            scratch.words(),
            catalog.load("vader_movies"),
            pretraining.Plan(epochs=asked.epochs, seed=asked.seed),
            told,
        )
        for line in pretraining.lines_of(kept):
            print(line, file=output, flush=True)
        return 0

    try:
        return command.perform(lambda: flag_table.check(asked), work, errors)
    except KeyboardInterrupt:
        stopping.heard()
        print("\nStopped; the finished epochs are kept.", file=errors)
        return command.STOPPED


if __name__ == "__main__":
    command.start(Pretraining, execute)
