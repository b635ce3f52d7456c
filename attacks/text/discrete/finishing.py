"""From searched sentences to the batch that an attack hands back."""

from collections.abc import Callable, Sequence

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.refusal import DoesNotApply
from attacks.text.discrete import found, picking, report
from attacks.text.discrete.found import Found
from attacks.text.spans.scoring import Scorer
from federated import views
from selenc_tf.models.text.token_model import TokenModel


class NothingFound(DoesNotApply):
    """A search among sentences had none to go on with."""


_MOST_CLASSES = 8
"""Classes that are all tried where labels are not known."""

Knowledge = knowledge_lib.Knowledge[TokenModel]


def classes_of(knowledge: Knowledge) -> tuple[int, ...]:
    """The classes that sentences may have; one where the next token is predicted.

    Raises:
      DoesNotApply: If labels are not known and there are too many classes to try all.
    """
    if knowledge.model.kind != "classes":
        return (0,)
    if knowledge.classes is not None:
        return tuple(sorted(set(knowledge.classes)))
    if knowledge.model.num_classes > _MOST_CLASSES:
        raise DoesNotApply(
            "`knowledge.labels` must be there for this attack where there are more than "
            f"{_MOST_CLASSES} classes, got none for "
            f"{knowledge.model.num_classes}."
        )
    return tuple(range(knowledge.model.num_classes))


def counted(scorer: Scorer) -> tuple[Scorer, list[int]]:
    """The same measure, with the number of sentences that it has seen."""
    count = [0]

    def score(ids: np.ndarray) -> np.ndarray:
        count[0] += len(ids)
        return scorer.score(ids)

    return scorer._replace(score=score), count


def with_ends(rows: list[Found], model: TokenModel) -> list[Found]:
    """Prefixes of a causal model, and each with the token that ends sentences.

    Nobody predicts from the last token, which therefore is in no span.
    """
    end = model.special.end
    if end is None:
        return rows
    ends = [
        one._replace(tokens=(*one.tokens, end))
        for one in rows
        if len(one.tokens) < model.length
        and (one.tokens[-1] != end or len(one.tokens) < 2)
    ]
    return rows + ends


def finish(
    gradient: Callable[[np.ndarray, np.ndarray], np.ndarray],
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: Knowledge,
    rows: list[Found],
    scorer: Scorer,
    most: int,
    compared: int,
    began: float,
) -> knowledge_lib.Reconstruction:
    """Chooses the batch by its gradient, and reports it.

    Runs on: attacker. Sees: the entries that the target matches.

    Args:
      gradient: `(examples, classes) -> [n]`, of a batch.
      view: For the weights.
      target: The gradient.
      knowledge: Of a language model.
      rows: What was found.
      scorer: What it was found by.
      most: Gradients of single sentences that are compared.
      compared: Sentences that were scored.
      began: `time.monotonic()` at the start.

    Returns:
      The reconstruction.

    Raises:
      NothingFound: If nothing was found.
    """
    if not rows:
        raise NothingFound(
            "Some token must fit the spans at the first position of `knowledge.model` "
            f"({knowledge.model.name}), for sentences to be made of, but none does."
        )
    classes, size = classes_of(knowledge), knowledge.batch_size
    best = _best(rows, scorer, size, most // len(classes))
    picked = picking.pick(gradient, target, knowledge, best, classes)
    known = knowledge.classes is not None
    if known:
        picked = _in_order(picked, knowledge.classes or ())
    words = "known" if known else "enumerated"
    if knowledge.model.kind != "classes":
        words = "inferred"
    return report.report(view, target, knowledge, picked, words, compared, began)


def _best(
    rows: list[Found], scorer: Scorer, batch_size: int, most: int
) -> Sequence[tuple[int, ...]]:
    """The best sentences, and as many of the next as may be right."""
    ranked = found.best(rows, max(2 * batch_size, most))
    level = (ranked[0].score + scorer.wrong) / 2
    return [
        one.tokens
        for place, one in enumerate(ranked)
        if place < 2 * batch_size or one.score <= level
    ]


def _in_order(picked: picking.Picked, labels: tuple[int, ...]) -> picking.Picked:
    """The batch in the order of known labels, if those are the ones that it has."""
    if sorted(labels) != sorted(picked.labels.tolist()):
        return picked
    places = np.empty(len(labels), np.int64)
    places[np.argsort(labels, kind="stable")] = np.argsort(picked.labels, kind="stable")
    return picking.Picked(picked.examples[places], picked.labels[places])
