"""The words of a batch, without their order, from the token table and the mask.

(Melis et al., "Exploiting Unintended Feature Leakage in Collaborative Learning", IEEE S&P
2019, section 4.1; how often a token is there is guessed by the size of its row, as in
Gupta et al., "Recovering Private Text in Federated Learning of Language Models", NeurIPS
2022, section 4.1.)
"""

import time

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.labels import signs
from attacks.text import sentences
from attacks.text.discrete import report, tables
from attacks.text.discrete.picking import Picked
from federated import views
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

Knowledge = knowledge_lib.Knowledge[TokenModel]


def build_bag_of_words(
    *,
    mode: target_lib.Mode = "mask_aware",
    source: target_lib.Source = 0,
) -> knowledge_lib.Attack:
    """Builds the attack.

    Args:
      mode: `naive` takes hidden rows for rows of zeros. `mask_aware` takes a token whose
        row has hidden entries, while those of others have none, for one that is there:
        so it is where the mask follows magnitudes.
      source: One client's message by its index, or "aggregate".

    Returns:
      The attack. Its sentences have the tokens of the batch, dealt out one by one: which
      sentence they are of, and their order, are not found. It raises `DoesNotApply` where
      neither the table's rows nor the mask name a token.
    """

    def attack(
        view: views.ServerView, knowledge: Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        del seed
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, mode)
        hints = None
        if mode == "mask_aware" and source != "aggregate":
            hints = tables.bag_from_mask(knowledge.model, view.mask)
        finite = np.all(np.isfinite(target.vector[target.visible]))
        # A mask speaks for itself, whatever it leaves to be seen.
        if hints is None or not finite:
            closed_form.check_target(target)
        bag = tables.token_bag(knowledge.model, target)
        tables.check_bag(bag, hints, knowledge.model)
        rows = _dealt(_words(bag, hints, knowledge.model), target, knowledge)
        labels, words = _labels(target, knowledge, mode)
        examples = sentences.of_rows(rows, knowledge.model.length)
        found = Picked(examples, labels)
        return report.report(view, target, knowledge, found, words, 0, began)

    return attack


def _words(
    bag: tables.Bag | None, hints: np.ndarray | None, model: TokenModel
) -> np.ndarray:
    """The tokens that are there, those with the largest rows first."""
    sizes = np.zeros([model.vocabulary_size])
    there = np.zeros([model.vocabulary_size], np.bool_)
    if bag is not None:
        sizes, there = bag.sizes, bag.present
    if hints is not None:
        # A mask that follows magnitudes hides no entry of a row of zeros.
        there = there | (hints if bag is None else hints & ~bag.absent)
    order = np.argsort(-sizes, kind="stable")
    found: np.ndarray = order[there[order]]
    return found


def _dealt(
    words: np.ndarray, target: target_lib.Target, knowledge: Knowledge
) -> list[list[int]]:
    """A sentence for each example, between the special tokens of all sentences."""
    model, size = knowledge.model, knowledge.batch_size
    start, end = model.special.start, model.special.end
    own = [int(one) for one in words if one not in (start, end)]
    around = sum(one is not None for one in (start, end))
    room = model.length - around
    longest = tables.longest(model, target)
    if size == 1 and longest is not None and own:
        # The tokens with the largest rows are there more than once.
        missing = max(0, longest - around - len(own))
        own += [own[place % len(own)] for place in range(missing)]
    return [
        [
            *([] if start is None else [start]),
            *own[place::size][:room],
            *([] if end is None else [end]),
        ]
        for place in range(size)
    ]


def _labels(
    target: target_lib.Target, knowledge: Knowledge, mode: target_lib.Mode
) -> tuple[np.ndarray, str]:
    """The classes as far as the head tells."""
    model, size = knowledge.model, knowledge.batch_size
    if model.kind != "classes":
        return np.zeros([size, 0], np.int64), "inferred"
    if knowledge.classes is not None:
        return np.array(knowledge.classes, np.int64), "known"
    if size == 1:
        told = signs.possible_labels(target, mode, model.spec, model.num_classes)
        if len(told) == 1:
            return np.array(told, np.int64), "inferred"
    noise = np.zeros([model.num_classes])
    guessed = signs.guess_classes(target, model.spec, model.num_classes, size, noise)
    return guessed, "guessed"
