"""What is guessed of sentences without a gradient: the words that most of them have."""

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks.text import sentences
from selenc_tf.models.text.token_model import TokenModel

_NONE = "none, as the attacker has no public sentences to guess frequent words from"


def blind_guess(
    knowledge: knowledge_lib.Knowledge[TokenModel],
) -> knowledge_lib.BlindGuess:
    """The most frequent tokens of the public sentences, as many as fit those best.

    How many is what has the highest mean F1 of tokens on the public sentences themselves.

    Runs on: attacker. Sees: its knowledge, and no message.

    Args:
      knowledge: What the attacker declares.

    Returns:
      The same sentence for each one of the batch; none without public sentences.
    """
    public = knowledge.public_examples
    if public is None:
        return knowledge_lib.BlindGuess(None, _NONE)
    length, special = knowledge.model.length, knowledge.model.special
    words = {special.start, special.end}
    rows = [set(row) - words for row in sentences.rows_of(public.examples)]
    counts = np.bincount(
        np.concatenate([np.array(sorted(row), np.int64) for row in rows]),
        minlength=knowledge.model.vocabulary_size,
    )
    # Of equally frequent ones the first, so that it is the same every time.
    frequent = np.argsort(-counts, kind="stable")[:length]
    has = np.array([[token in row for token in frequent] for row in rows])
    sizes = np.array([len(row) for row in rows])[:, np.newaxis]
    taken = np.arange(1, len(frequent) + 1)
    agreement = 2 * np.cumsum(has, axis=1) / (taken + sizes)
    best = int(np.argmax(agreement.mean(axis=0))) + 1
    batch = knowledge.batch_size
    classes = np.zeros([batch, 0], np.int64)
    if knowledge.model.kind == "classes":
        classes = np.zeros([batch], np.int64)
        if knowledge.labels is not None:
            classes = knowledge_lib.label_array(knowledge.model, knowledge.labels)
        elif len(public.labels):
            classes[:] = np.argmax(np.bincount(public.labels.astype(np.int64)))
    guess = knowledge_lib.Reconstruction(
        examples=sentences.of_rows([frequent[:best].tolist()] * batch, length),
        labels=classes,
        label_source="optimised" if knowledge.labels is None else "known",
        objective=float("nan"),
        start_objectives=(float("nan"),),
        iterations=0,
        evaluations=0,
        seconds=0.0,
        converged=False,
        stop="prior_only",
        matched_entries=0,
    )
    return knowledge_lib.BlindGuess(
        guess,
        f"the {best} most frequent tokens of the attacker's {len(rows):,} public sentences",
    )
