"""Rounds that are run to be attacked, and what the server sees of them.

One client's message is seen in `server_blind` rounds, where nothing but that message
speaks of the client. A cohort's messages and the published aggregate are seen together
in a `reveal_aggregate` round.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from experiments.data.dataset import Dataset
from experiments.study import encryption, protocols
from experiments.study import masking as masking_lib
from experiments.study import recorder as recorder_lib
from experiments.study.modality import Modality
from experiments.study.settings import AttackSettings, EncryptionSettings
from federated import mask_rounds, observed, processes, views
from federated.round import local_work
from selenc_tf import flatten
from selenc_tf.masks import agreement
from selenc_tf.models.any_model import AnyModel
from selenc_tf.models.local_steps import LocalTraining

Observe: TypeAlias = Callable[[tuple[int, ...]], tuple[views.ServerView, ...]]
"""Runs the rounds in which the examples of some rows are sent: one view each, in the
order of the rounds."""

_OTHERS = 100
_OTHERS_RATE = 0.1
"""Examples behind, and learning rate of, the step that other clients make between two
attacked rounds."""


class Rounds(NamedTuple):
    """What the rounds of a study are run with.

    Attributes:
      modality: What an example is.
      model: The attacked model.
      asked: The clients' work, and the number of rounds.
      masking: Of the run.
      encryption: Of the run.
      min_clients: The smallest cohort whose sum clients decrypt.
      dataset: The examples.
      other_rows: Examples of clients that are not attacked.
      lattice: What gradients are encrypted with where the server stays blind.
      cohorts: What those are encrypted with whose sum it learns.
      scores: What scores are encrypted with, where a cohort agrees by their sum.
      recorder: The observer of the installed context.
    """

    modality: Modality
    model: AnyModel
    asked: AttackSettings
    masking: masking_lib.Masking
    encryption: EncryptionSettings
    min_clients: int
    dataset: Dataset
    other_rows: tuple[int, ...]
    lattice: encryption.Lattice
    cohorts: encryption.Lattice
    scores: Callable[[], encryption.Lattice]
    recorder: recorder_lib.Recorder


def local_training(asked: AttackSettings) -> LocalTraining | None:
    """How an attacked client makes its message; None where it sends one gradient."""
    if asked.is_one_gradient:
        return None
    return LocalTraining(
        asked.local_learning_rate, asked.local_epochs, asked.local_batch_size or None
    )


def _work(asked: AttackSettings) -> local_work.LocalWork | None:
    training = local_training(asked)
    if training is None:
        return None
    return local_work.LocalWork(training, asked.batch_size)


def of_messages(rounds: Rounds, metric: str, ratio: float) -> Observe:
    """Views of one client's messages, in as many rounds as `--attack_rounds` says.

    Between the rounds the weights move by a step of gradient descent on other clients'
    examples; the mask may change, as its policy has it.

    Args:
      rounds: What to run them with.
      metric: What chooses the hidden entries.
      ratio: The encryption ratio.

    Returns:
      The rounds.
    """
    made = processes.build_server_blind_round(
        rounds.model,
        masking_lib.lone_mask(rounds.masking, metric, ratio),
        rounds.lattice.engine,
        rounds.lattice.bound,
        rounds.lattice.keys,
        _work(rounds.asked),
    )
    weights_of_rounds = _trajectory(rounds)

    def observe(rows: tuple[int, ...]) -> tuple[views.ServerView, ...]:
        state = made.initialize()
        found = []
        for weights in weights_of_rounds:
            rounds.recorder.take()
            state = made.next(state, weights, [batch(rounds, rows)]).state
            found.append(
                observed.server_view(rounds.recorder.take(), rounds.model.spec.size)
            )
        return tuple(found)

    return observe


def of_an_aggregate(rounds: Rounds, agreement_name: str) -> Observe:
    """The view of a round whose aggregate is published and whose messages hide all.

    Args:
      rounds: What to run it with.
      agreement_name: As records report it.

    Returns:
      The round.
    """
    everything = np.ones([rounds.model.spec.size], bool)
    # Every mask would do: of the published sum nothing is hidden.
    agreed = agreement.fixed(
        agreement_name, "nothing: everything is hidden", everything
    )
    observe = _revealing(rounds, agreed, repetitions=1)
    return lambda rows: observe(_client_batches(rounds, rows))


def of_a_cohort(rounds: Rounds, metric: str, ratio: float) -> Observe:
    """The view of a round of several clients: partly visible messages and the aggregate.

    Where the mask follows the previous aggregate, the attacked round is the second: the
    first, hidden completely, makes that aggregate from the same clients.

    Args:
      rounds: What to run it with.
      metric: What chooses the hidden entries.
      ratio: The encryption ratio.

    Returns:
      The rounds; only the last one's view is returned.
    """
    masking, model = rounds.masking, rounds.model
    name = protocols.taken(masking.asked.agreement, metric)
    if not protocols.PROTOCOLS[name].is_round:
        agreed = masking_lib.public_agreement(masking, metric, ratio, model)
        observe = _revealing(
            rounds, agreed, repetitions=2 if name == "previous_aggregate" else 1
        )
        return lambda rows: observe(_client_batches(rounds, rows))

    def with_a_mask_round(rows: tuple[int, ...]) -> tuple[views.ServerView, ...]:
        scores, least = rounds.scores(), rounds.min_clients
        batches = _client_batches(rounds, rows)
        round_ = masking_lib.mask_round(
            masking, least, metric, ratio, model, scores.engine, scores.keys
        )
        found = mask_rounds.unpack(
            round_.run(_weights(model), batches), model.spec.size
        )
        return _revealing(rounds, masking_lib.fixed(round_, found), repetitions=1)(
            batches
        )

    return with_a_mask_round


def shows_something(view: views.ServerView) -> bool:
    """Whether any entry of a message, or their published average, is in the clear.

    Entries that are zero count: which ones are can tell much of an example.
    """
    return view.aggregate is not None or any(len(one.plain) for one in view.messages)


def is_zero(view: views.ServerView) -> bool:
    """Whether a gradient that is shown whole has no entry that is not zero.

    It says nothing of its example, with nothing hidden: the loss is 0 in float32.
    """
    if view.aggregate is not None:
        return not np.any(view.aggregate)
    return not view.mask.any() and not any(np.any(one.plain) for one in view.messages)


def batch(rounds: Rounds, rows: Sequence[int]) -> local_work.Batch:
    """A client's batch."""
    return local_work.Batch(*rounds.modality.batch(rounds.model, rounds.dataset, rows))


def _revealing(
    rounds: Rounds, agreed: agreement.MaskAgreement, repetitions: int
) -> Callable[[list[local_work.Batch]], tuple[views.ServerView, ...]]:
    # Clients multiply by their weight, the number of their examples.
    weight = rounds.asked.batch_size
    lattice = rounds.cohorts._replace(bound=rounds.cohorts.bound * weight)
    round_ = processes.build_reveal_round(
        rounds.model,
        encryption.selective(
            rounds.encryption,
            rounds.min_clients,
            agreed,
            rounds.model.spec.names,
            lattice,
        ).updates,
        _work(rounds.asked),
    )

    def observe(batches: list[local_work.Batch]) -> tuple[views.ServerView, ...]:
        state, weights = round_.initialize(), _weights(rounds.model)
        for _ in range(repetitions):
            rounds.recorder.take()
            output = round_.next(state, weights, batches)
            state = output.state
        seen = rounds.recorder.take()
        view = observed.server_view(
            seen,
            rounds.model.spec.size,
            output.result,
            measurements=_measured(output.measurements),
            hidden_weights=True,
            multiplied=True,
        )
        return (view,)

    return observe


def _measured(measurements: Any) -> Mapping[str, Any] | None:
    """What the encrypted sum measured, if it is not inside another factory."""
    return measurements if "refusals" in measurements else None


def _client_batches(rounds: Rounds, rows: tuple[int, ...]) -> list[local_work.Batch]:
    size = rounds.asked.batch_size
    return [batch(rounds, rows[at : at + size]) for at in range(0, len(rows), size)]


def _trajectory(rounds: Rounds) -> list[list[np.ndarray]]:
    """The weights that the server sends in each attacked round."""
    model, found = rounds.model, [_weights(rounds.model)]
    generator = np.random.default_rng(rounds.masking.seed[0])
    for _ in range(rounds.asked.rounds - 1):
        rows = generator.choice(
            rounds.other_rows, min(_OTHERS, len(rounds.other_rows)), replace=False
        )
        others = batch(rounds, [int(row) for row in rows])
        slope = local_work.gradient(
            model,
            tuple(tf.constant(tensor) for tensor in found[-1]),
            tf.nest.map_structure(tf.constant, others),
        )
        found.append(
            [
                tensor - _OTHERS_RATE * part.numpy()
                for tensor, part in zip(
                    found[-1], flatten.unflatten(slope, model.spec), strict=True
                )
            ]
        )
    return found


def _weights(model: AnyModel) -> list[np.ndarray]:
    return [weight.numpy() for weight in model.initial_weights]
