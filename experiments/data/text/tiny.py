"""Tiny language models with random weights, and letters for tokens: a first look, tests.

They are called random, and are: nothing was learned. A sentence is spelt, one letter a
token, so that few tokens are few words.
"""

from experiments.data.text.models import LanguageModel, Request
from selenc_tf.models.text import catalog, vocabulary
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import SpecialTokens
from selenc_tf.models.text.vocabulary import Vocabulary

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 .,'!?-:;\"()/&%$+*#@"
_SPECIAL = ("[pad]", "\N{REPLACEMENT CHARACTER}", "[start]", "[end]")
_OTHER = 1


def letters(special: SpecialTokens) -> Vocabulary:
    """A vocabulary of letters without capitals, digits and signs.

    Args:
      special: The numbers below 4 that the model takes for special tokens.

    Returns:
      60 tokens, of which number 1 stands for every other letter.
    """
    tokens = (*_SPECIAL, *_LETTERS)
    places = {letter: place for place, letter in enumerate(tokens)}
    known = {special.start, special.end, special.pad} - {None}
    return Vocabulary(
        name="60 letters",
        size=len(tokens),
        special=special,
        special_ids=frozenset(one for one in known if one is not None),
        split=lambda text: [places.get(one, _OTHER) for one in text.lower()],
        join=lambda ids: "".join(tokens[one] for one in ids),
    )


def bert_tiny_random(asked: Request) -> LanguageModel:
    """BERT's architecture, 2 blocks of width 16, at most 32 positions.

    Args:
      asked: With classes.

    Returns:
      The model and its letters.
    """
    return _with_letters("bert_tiny_random", asked)


def gpt2_tiny_random(asked: Request) -> LanguageModel:
    """GPT-2's architecture, 2 blocks of width 16, at most 32 positions.

    Args:
      asked: With classes or without.

    Returns:
      The model and its letters.
    """
    if asked.num_classes is None:
        return _with_letters("gpt2_tiny_random", asked)
    return _with_letters("gpt2_tiny_classifier_random", asked)


def _with_letters(name: str, asked: Request) -> LanguageModel:
    model: TokenModel = catalog.token_model(
        name, asked.length, asked.num_classes or 2, asked.seed
    )
    made = letters(model.special)
    vocabulary.check_fits(made, model)
    return LanguageModel(model, made)
