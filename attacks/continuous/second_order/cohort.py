"""All clients of a round at once: every visible part, and the sum of the hidden parts.

In a round whose aggregate is published the server learns more of the hidden entries than
nothing: their weighted sum over the clients. With k clients of b pictures each the
attack has k (n - m) + m equations for all k b pictures together, where an attack on one
message has n - m for its b, and an attack on the aggregate n for all.
"""

import dataclasses

import numpy as np

from attacks import draws
from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.second_order import matching_attack, problems, starts
from attacks.labels import candidates
from attacks.matching import matching
from attacks.optimisers import lbfgs
from federated import views
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()


def build_cohort(
    *,
    initial: starts.Initial = "grey",
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    budget: lbfgs.Budget | None = None,
    progress: lbfgs.Progress | None = None,
    extra_starts: np.ndarray | None = None,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the joint attack on a cohort.

    Runs on: attacker. Sees: all messages, the published aggregate and the mask, also of
    the rounds in `Knowledge.earlier`. The error is relative to all that is compared in
    a round: each client's visible entries, and the aggregate's hidden ones (its visible
    ones follow from the messages).

    Where every client has one picture of unknown class, the classes that the visible
    signs allow are tried; otherwise labels are optimised with the pictures.

    The order of the pictures is that of the messages. `Knowledge.batch_size` counts the
    pictures of all clients; without `client_sizes` the messages' weights have to be in
    proportion to them.

    Args:
      initial: The distribution of the starting pictures.
      effort: Starts, iterations and seconds.
      budget: All settings of the optimiser; replaces `effort`.
      progress: Called after every iteration.
      extra_starts: float32 [s, b, h, w, c] in [0, 1], pictures of all clients to start
        from beside those that are drawn, or None.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack.

    Raises:
      ValueError: If `initial` is not one of those offered. The attack itself raises
        `DoesNotApply` if there are fewer than two messages or no aggregate, and a
        ValueError if view and knowledge do not go together.
    """
    settings = matching_attack.settings_of(
        initial, effort, budget, progress, extra_starts, programs
    )

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        rounds = (view, *knowledge.earlier)
        for one in rounds:
            _check(one, view, knowledge)
        sizes = _client_sizes(view, knowledge)
        guesses = _guesses(view, sizes, knowledge)
        problem = problems.Problem(
            rounds=tuple(round_of(one, sizes) for one in rounds),
            sizes=sizes,
            guesses=guesses,
            compiled=settings.programs.of(matching.build_matching, knowledge.model),
        )
        labels = _labels(guesses, knowledge)
        return matching_attack.search(problem, knowledge, labels, settings, seed)

    return attack


def round_of(
    view: views.ServerView, sizes: tuple[int, ...] | None = None
) -> problems.Round:
    """A round's observations: one row for each message, and one for the aggregate.

    Runs on: attacker. Sees: the view.

    Args:
      view: With k messages and an aggregate.
      sizes: The clients' numbers of pictures, where weights do not tell them.

    Returns:
      `vector` and `matched` [k + 1, n], `shares` [k + 1, k].

    Raises:
      DoesNotApply: If the view has no aggregate.
    """
    if view.aggregate is None:
        raise knowledge_lib.DoesNotApply(
            "`view.aggregate` must be there for the joint attack, but it is None: the "
            "server stayed blind. Attack each message by itself."
        )
    clients, shares = len(view.messages), views.shares(view, sizes)
    counts = sizes or (1,) * clients
    messages = [
        views.visible_gradient(view, client, counts[client])
        for client in range(clients)
    ]
    hidden_sum = np.where(view.mask, view.aggregate, np.float32(0))
    return problems.Round(
        weights=tuple(np.asarray(tensor) for tensor in view.weights),
        vector=np.stack([*messages, hidden_sum]).astype(np.float32),
        matched=np.stack([*[~view.mask] * clients, view.mask]),
        shares=np.concatenate([np.eye(clients), shares[np.newaxis]]),
    )


def _check(
    one: views.ServerView, view: views.ServerView, knowledge: knowledge_lib.Knowledge
) -> None:
    target_lib.check_view(one, knowledge.model)
    draws.check(knowledge.model)
    if len(one.messages) < 2 or len(one.messages) != len(view.messages):
        raise knowledge_lib.DoesNotApply(
            "`view.messages` must be those of at least two clients, the same in every "
            f"round, got {len(one.messages)} and {len(view.messages)}. Attack a single "
            "message with DLG."
        )


def _client_sizes(
    view: views.ServerView, knowledge: knowledge_lib.Knowledge
) -> tuple[int, ...]:
    """Each client's number of pictures."""
    sizes = knowledge.client_sizes
    if sizes is None:
        exact = views.shares(view) * knowledge.batch_size
        sizes = tuple(round(float(size)) for size in exact)
        if min(sizes) < 1 or not np.allclose(exact, sizes, atol=1e-3):
            raise ValueError(
                "`knowledge.client_sizes` must say how the "
                f"{knowledge.batch_size} pictures of `batch_size` belong to the "
                f"{len(view.messages)} messages, whose weights do not tell (shares "
                f"{np.round(views.shares(view), 3).tolist()})."
            )
    if len(sizes) != len(view.messages):
        raise ValueError(
            "`knowledge.client_sizes` must have one entry for each of the "
            f"{len(view.messages)} messages, got {sizes}."
        )
    return sizes


def _client_target(
    view: views.ServerView,
    client: int,
    size: int,
    penalty: np.ndarray | float | None,
) -> target_lib.Target:
    return target_lib.Target(
        vector=views.visible_gradient(view, client, size),
        visible=~view.mask,
        matched=~view.mask,
        sizes=(size,),
        shares=np.ones(1),
        penalty=penalty,
    )


def _guesses(
    view: views.ServerView, sizes: tuple[int, ...], knowledge: knowledge_lib.Knowledge
) -> tuple[tuple[target_lib.Target, int], ...]:
    """What to guess each client's classes from: its visible entries."""
    penalty = target_lib.penalty_of(view, knowledge)
    return tuple(
        (_client_target(view, client, size, penalty), size)
        for client, size in enumerate(sizes)
    )


def _labels(
    guesses: tuple[tuple[target_lib.Target, int], ...],
    knowledge: knowledge_lib.Knowledge,
) -> candidates.Candidates:
    single = all(size == 1 for _, size in guesses)
    if knowledge.labels is not None or not single or knowledge.model.kind != "classes":
        return candidates.declared(knowledge)
    alone = dataclasses.replace(knowledge, batch_size=1, client_sizes=None)
    return candidates.together(
        [candidates.candidates((target,), alone) for target, _ in guesses]
    )
