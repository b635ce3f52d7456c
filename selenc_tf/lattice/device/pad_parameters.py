"""Parameter sets of the additive pad: what fits, and how large a block is."""

import dataclasses

from selenc_tf import validation
from selenc_tf.lattice.device import pad, spelled

NAME = "additive_pad"
"""Of the cipher."""

MAX_SUMMANDS = 1 << 14
"""Whose seeds, in every block of a sum, take half a megabyte."""

_MAX_BITS = 32
_MOST_VALUES, _MOST_BLOCKS = 1 << 22, 1 << 12
# Chosen by measurement: docs/lattice.md.
_BLOCK_VALUES, _GROUP_BLOCKS = 1 << 13, 8


@dataclasses.dataclass(frozen=True)
class PadParameters:
    """A parameter set; constructing one checks it.

    Attributes:
      bits: b of the codec: codes lie within +-(2^(b-1) - 1).
      max_summands: k, at most so many messages are added.
      columns: Of a block; even.
      group_blocks: B, the blocks that XLA works on together.
    """

    bits: int
    max_summands: int
    columns: int
    group_blocks: int = _GROUP_BLOCKS

    def __post_init__(self) -> None:
        """Checks that sums fit and a block is of a reasonable size.

        Raises:
          ValueError: Naming the rule that is broken.
        """
        validation.check_in("bits", self.bits, range(2, _MAX_BITS + 1))
        validation.check_at_least("group_blocks", self.group_blocks, 1)
        if self.max_summands > MAX_SUMMANDS:
            raise ValueError(
                f"`max_summands` must be at most {MAX_SUMMANDS} with the cipher {NAME}, "
                f"whose sums carry a seed of every summand, got {self.max_summands}. Take "
                "another cipher, or fewer summands."
            )
        # A text in a graph may ask for anything: what is accepted can be built.
        if (
            self.group_blocks > _MOST_BLOCKS
            or self.num_slots * self.group_blocks > _MOST_VALUES
        ):
            raise ValueError(
                f"`columns` and `group_blocks` must make groups of at most {_MOST_VALUES} "
                f"values, got {self.columns} and {self.group_blocks}."
            )

    @property
    def scheme(self) -> pad.Pad:
        """The pad of one block."""
        return pad.Pad(self.bits, self.max_summands, self.columns)

    @property
    def width(self) -> int:
        """w: the bits of a value, as it is sent."""
        return self.scheme.width

    @property
    def num_slots(self) -> int:
        """The values of a block."""
        return self.scheme.chunk_values

    @property
    def max_abs_plaintext(self) -> int:
        """The largest magnitude of a value, k of which w bits hold with their sign."""
        sums = (1 << (self.width - 1)) - 1
        return min(sums // self.max_summands, (1 << (_MAX_BITS - 1)) - 1)

    def digest(self, digits: int = 16) -> str:
        """A fingerprint that names this parameter set in files.

        Args:
          digits: Of how many hex digits, at most 64.
        """
        return spelled.digest(self.text(), digits)

    def text(self) -> str:
        """All of it in one line, which `from_text` reads."""
        return spelled.text(NAME, self)

    @classmethod
    def from_text(cls, text: str) -> "PadParameters":
        """The inverse of `text`, for whatever is written there.

        Raises:
          ValueError: If it is no parameter set.
        """
        return spelled.read(NAME, cls, text)


def choose_parameters(num_summands: int, quantisation_bits: int) -> PadParameters:
    """The parameters for sums, in blocks of 8192 values.

    Runs on: whoever sets up the cohort.

    Args:
      num_summands: k, at most 16384.
      quantisation_bits: b, from 2 to 32.

    Returns:
      A checked parameter set.

    Raises:
      ValueError: If a number is out of range.

    Example:
      >>> chosen = choose_parameters(num_summands=64, quantisation_bits=16)
      >>> chosen.width, chosen.num_slots
      (22, 8192)
    """
    validation.check_at_least("num_summands", num_summands, 1)
    rows = pad.Pad(quantisation_bits, num_summands).rows
    return PadParameters(quantisation_bits, num_summands, _BLOCK_VALUES // rows)
