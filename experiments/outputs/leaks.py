"""How the leakage of a modality is called, printed and drawn: as data."""

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

EXACT = "exact"
"""The name of the share of examples that are recovered exactly, in every modality."""


class Number(NamedTuple):
    """A number that is measured on each reconstruction.

    Attributes:
      key: Its name in `AttackRecord.measures`.
      name: What its columns in `summary.csv` start with.
      words: What TensorBoard's HParams tab calls it.
      heading: Of its column in the table for people; "" for none.
      form: Of a value there, as `format` takes it.
      panel: The title of its panel in the figure over the ratio; "" for none.
    """

    key: str
    name: str
    words: str
    heading: str = ""
    form: str = ".2f"
    panel: str = ""


class Share(NamedTuple):
    """The share of examples of which something holds.

    Attributes:
      key: Its name in `AttackRecord.measures`: a truth value, or with `at_least` a number.
      name: What its columns in `summary.csv` start with.
      words: What TensorBoard's HParams tab calls it; "" for not there.
      at_least: From which number on it counts; None for a truth value.
      heading: Of its column in a wide table for people; "" for none.
      caption: What that column says, for the line below the table.
      panel: The title of its panel in the figure over the ratio; "" for none.
      told: Whether sentences tell it, though no table for people has a column of it.
    """

    key: str
    name: str
    words: str = ""
    at_least: float | None = None
    heading: str = ""
    caption: str = ""
    panel: str = ""
    told: bool = False


class Seen(NamedTuple):
    """How it is said that a measure is what is better than the blind guess.

    Both are templates with medians by the keys of measures, and `guess`, that of the
    measure itself.

    Attributes:
      sentence: A part of a sentence.
      short: For a cell of a table.
    """

    sentence: str
    short: str


class Leaks(NamedTuple):
    """What the attacks of a modality give.

    Attributes:
      modality: Its name in records.
      main: The measure by which attacks are compared: larger means that more leaked.
      tag: TensorBoard's metric of `main`, with "{}" for the attacker.
      axis: `main` in words, for the axis of a figure, and its highest value where it
        has one.
      caption: `main` in words, for the line below a table, as a sentence without its end.
      numbers: What else is measured, on the reconstruction that `main` calls the best.
      shares: What counts as recovered.
      shown: A value of `main` in words: "12.3 dB".
      short: `(value, format) -> text` of it in the table for people.
      beyond: Measures of which one must be so far above that of a blind guess, of the
        same example, for the recovered to be better; of a truth value 0.5. None: `main`.
      beyond_words: The same in words that go on after "on no example".
      beyond_shortly: The same where the rule is not explained.
      by_chance: Those of them that chance can reach: they count only where a control
        (`blind.chance`) is on record, and only above it.
      alike: Whether those measures have one scale: then the one that is farthest above
        the guess decides how much better a result is, else the first of them that is far
        enough above it.
      seen: How it is said that one of them decided, by its key; nothing is said of one
        that is missing.
      drawn: Where a value of `main` is drawn, if it may be infinite.
      exact: What is larger says no more of `main` than that all is known.
      lookups: Attacks that find something like the example and reconstruct nothing.
      told_as: How the same is told of a kind of examples, by a key in the details of
        their records (`told`).
      retold: `(text) -> text`: what is said of the modality, of such examples.
      columns: Whether examples are rows, of which single columns are counted.
      near: Values of `main` closer than this have one label in a figure.
    """

    modality: str
    main: Number
    tag: str
    axis: str
    caption: str
    numbers: tuple[Number, ...]
    shares: tuple[Share, ...]
    shown: Callable[[float], str]
    drawn: Callable[[float], float]
    near: float
    short: Callable[[float, str], str] = format
    beyond: tuple[tuple[str, float], ...] = ()
    beyond_words: str = "above it"
    beyond_shortly: str = "above it"
    by_chance: tuple[str, ...] = ()
    alike: bool = False
    exact: float = math.inf
    lookups: tuple[str, ...] = ()
    seen: Mapping[str, Seen] = MappingProxyType({})
    told_as: Mapping[str, "Leaks"] = MappingProxyType({})
    retold: Callable[[str], str] = str
    columns: bool = False

    @property
    def order(self) -> tuple[str, ...]:
        """The measures by which reconstructions of one example are compared, in turn."""
        own = (self.main.key, *(key for key, _ in self.beyond))
        return tuple(dict.fromkeys(own))

    def caption_of(self, seeds: int) -> str:
        """`caption`, where numbers are of so many seeds: medians of each one's median."""
        if seeds < 2:
            return self.caption
        of_each = r"median of the medians that each seed has over its \1"
        return re.sub(r"median over (\w+)", of_each, self.caption)

    def is_exact(self, measures: Mapping[str, Any]) -> bool | None:
        """Whether measures are of an example that is recovered exactly, or wholly.

        Args:
          measures: Of a record or a member.

        Returns:
          What the share "exact" counts; None where there is none, or it was not measured.
        """
        share = next((one for one in self.shares if one.name == EXACT), None)
        if share is None or measures.get(share.key) is None:
            return None
        value = measures[share.key]
        if share.at_least is None:
            return bool(value)
        return float(value) >= share.at_least

    @property
    def recovered(self) -> tuple[Share, ...]:
        """The shares that people are told: what counts as recovered."""
        return tuple(one for one in self.shares if one.heading or one.told)
