"""The words of tables and legends, a line each, for who has not read the docs."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

WORDS: Mapping[str, str] = MappingProxyType(
    {
        # What is hidden.
        "magnitude": "hidden are the entries of the gradient that are largest",
        "random": "hidden are entries drawn by lot",
        "weight_magnitude": "hidden are the entries whose weights are largest",
        "product": "hidden are the entries whose weight times gradient is largest",
        "maskcrypt": "hidden are the entries whose update goes most against the gradient",
        "label_sensitivity": "hidden are the entries that change most with the label",
        "per_sample_fisher": "hidden are the entries that are largest of single examples",
        "input_sensitivity": "hidden are the entries that change most with the input",
        "leverage": "hidden are the entries that say most of the input, by theory",
        "first_layers": "hidden are the first tensors of the model",
        "last_layers": "hidden are the last tensors of the model",
        "sensitivity_per_byte": "hidden are the tensors with the largest mean entry",
        # How clients come to one mask.
        "own": "the only client of the attacked round chooses its mask itself",
        "public_seed": "the mask comes from a seed that everybody knows",
        "public_weights": "the mask comes from the weights that the server sent",
        "previous_aggregate": "the mask comes from what the last round published",
        "score_sum": "the mask comes from the clients' scores, added under encryption",
        "interleaved_lists": "the mask takes entries from every client's list in turn",
        "union": "the mask hides what any client wants hidden",
        # What is published.
        "server_blind": "the server adds ciphertexts and never sees the sum",
        "reveal_aggregate": "the average of a round is published",
        "plain": "rounds without encryption",
        # Who attacks.
        "naive": "as published, hidden entries as zeros; lacks our additions at 0 % hidden "
        "too",
        "mask-aware": "with our additions, compares only what it sees; in short aware",
    }
)


def of(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The words that are used, in the order of `WORDS`, each with its line.

    Args:
      names: Of metrics, agreements, releases and attackers, as records have them.
    """
    used = {name.replace("mask_aware", "mask-aware") for name in names}
    yield from ((name, line) for name, line in WORDS.items() if name in used)
