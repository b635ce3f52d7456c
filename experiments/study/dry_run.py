"""What a run would do and take, found out without doing it."""

import dataclasses
import inspect
import pkgutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import numpy as np
import tensorflow as tf

from attacks import catalog as attack_catalog
from experiments.outputs import why
from experiments.study import (
    attacking,
    encryption,
    layouts,
    masking,
    work,
)
from experiments.study.inputs import Inputs
from experiments.study.modality import Studied
from experiments.study.settings import Settings, Subject
from federated.round import local_work
from selenc_tf import catalog
from selenc_tf.lattice import header
from selenc_tf.models.any_model import AnyModel

EVALUATIONS = 3
"""Gradients that an iteration of an attack takes, about: it differentiates one."""

_REPETITIONS = 5
"""Of a gradient that is timed: others may use the machine."""

_REHEARSALS = 2
"""Public batches on which an envelope tries its members (`attacks/strongest.py`)."""


def report(settings: Settings, inputs: Inputs) -> Iterator[str]:
    """What a run would do, line by line.

    Args:
      settings: Checked.
      inputs: The data and the model.

    Yields:
      Lines for people.
    """
    model, clients = inputs.model, inputs.training.clients
    yield from subject(settings, Studied(inputs.dataset, model, inputs.facts))
    asked = settings.training
    if asked.rounds:
        sizes = sorted(len(client) for client in clients)
        yield (
            f"Training: {asked.rounds} rounds of {asked.num_clients} clients with "
            f"{sizes[0]} to {sizes[-1]} examples each."
        )
    else:
        yield "Training: none (--rounds=0)."
    if inputs.weights_note:
        yield inputs.weights_note
    model = inputs.attacked
    rows = inputs.attacked_rows[: settings.attack.batch_size] or (0,)
    yield from metrics(model, inputs, settings.masks.metrics, settings.seed, rows)
    yield from _attacks(settings, inputs)
    yield from _hidden(settings, inputs, rows)
    yield from _bytes(settings, inputs)
    yield from _minutes(settings, inputs)


def subject(asked: Subject, studied: Studied[AnyModel]) -> Iterator[str]:
    """The model and its data."""
    model, dataset = studied.model, studied.dataset
    layout = layouts.of_task(model.task)
    statistics = layout.spec.size - model.spec.size
    more = f" and {statistics:,} statistics, averaged like them" if statistics else ""
    mode = "training" if model.task.training else "inference"
    yield (
        f"Model: {asked.model}, {model.spec.size:,} parameters{more}; loss "
        f"{model.task.objective.name}; gradients in {mode} mode."
    )
    units = ""
    if "value_range" in studied.facts:
        low, high = (np.asarray(bound) for bound in studied.facts["value_range"])
        source = studied.facts["value_range_from"]
        units = f" Units: [{low.min():g}, {high.max():g}] (from {source})."
    yield f"Data: {dataset.note}{units}"


def metrics(
    model: AnyModel,
    inputs: Inputs,
    names: Sequence[str],
    seed: int,
    rows: Sequence[int],
) -> Iterator[str]:
    """Whether each asked metric can score the model."""
    for name in names:
        try:
            _scores(model, inputs, name, seed, rows)
        except ValueError as error:
            yield f"Metric {name}: does not apply: {error}"
        else:
            yield f"Metric {name}: applies."


def _scores(
    model: AnyModel, inputs: Inputs, name: str, seed: int, rows: Sequence[int]
) -> tf.Tensor:
    batch = _batch(model, inputs, rows)
    own = local_work.gradient(model, model.initial_weights, batch)
    context = local_work.score_context(
        model, model.initial_weights, batch, own, (seed, 0)
    )
    return catalog.metric(name)(context)


def _attacks(settings: Settings, inputs: Inputs) -> Iterator[str]:
    asked = settings.attack
    if not asked.num_images and not asked.aggregate_clients:
        yield "Attacks: none."
        return
    for name, reason in why_not(settings, inputs, asked.methods).items():
        if reason:
            yield f"Attack {name}: does not apply: {reason}"
        else:
            # Layers and gradients are not looked at here.
            yield f"Attack {name}: fits task and flags; the rest its run says."


def why_not(
    settings: Settings, inputs: Inputs, names: Iterable[str]
) -> dict[str, str | None]:
    """Why attacks do not apply, as far as that can be told without running them.

    Args:
      settings: Checked.
      inputs: The data and the model.
      names: Of attacks of the modality.

    Returns:
      For each its reason in words for people, or None.
    """
    asked = settings.attack
    attackers = attacking.attackers(
        inputs.modality, inputs.attacked, asked, inputs.dataset, inputs.public_rows
    )
    labels = inputs.dataset.labels[list(inputs.attacked_rows[: asked.batch_size])]
    found: dict[str, str | None] = {}
    for name in names:
        try:
            knowledge = attacking.knowledge(attackers, labels, ())
            entry = inputs.modality.attacks[name]
            if asked.rounds > 1:
                # Earlier rounds are there once they have been run.
                entry = dataclasses.replace(entry, needs=entry.needs - {"earlier"})
            reason = attack_catalog.why_not(entry, knowledge)
        except ValueError as error:
            reason = str(error)
        found[name] = reason and why.in_words(reason)
    return found


def _hidden(settings: Settings, inputs: Inputs, rows: Sequence[int]) -> Iterator[str]:
    """What a lone client would hide at the first ratio above 0, tensor by tensor."""
    model, ratios = inputs.attacked, settings.masks.ratios
    ratio = next((each for each in ratios if each > 0), ratios[0])
    policy = masking.policy_of(masking.of_run(settings), ratio)
    for name in settings.masks.metrics:
        try:
            scores = _scores(model, inputs, name, settings.seed, rows)
        except ValueError:
            continue
        mask, _ = policy.update(model.spec, scores, policy.init(model.spec))
        found = mask.numpy()
        parts = np.split(found, np.cumsum(model.spec.sizes)[:-1])
        yield (
            f"Hidden at ratio {ratio:g} by {name}: {int(found.sum()):,} of "
            f"{model.spec.size:,}"
        )
        for tensor, part in zip(model.spec.names, parts, strict=True):
            yield f"  {tensor}: {int(part.sum()):,} of {part.size:,}"


def _bytes(settings: Settings, inputs: Inputs) -> Iterator[str]:
    """Sizes of messages in a round of training, by the shares that are hidden."""
    if not settings.training.rounds:
        return
    clients = settings.training.num_clients
    # Every message carries its client's weight, whether or not an entry is hidden.
    engine = encryption.engine(settings.encryption, clients).with_number()
    spec = layouts.of_task(inputs.model.task).spec
    plain = 4 * spec.size
    yield (
        f"A round of training without encryption: {clients * plain:,} bytes up and "
        f"{clients * plain:,} down, besides a few bytes a message."
    )
    for ratio in settings.masks.ratios:
        hidden = masking.policy_of(masking.of_run(settings), ratio).num_hidden(spec)
        codes = int(engine.num_codes(tf.constant(hidden)))
        blocks = -(-codes // engine.codes_per_block)
        encrypted = header.NUM_BYTES + blocks * engine.cipher.upload_bytes
        up = clients * (plain - 4 * hidden + encrypted)
        down = clients * (plain + -(-spec.size // 8))
        if settings.encryption.per_client:
            # As TFF has them: integers of four bytes.
            up += clients * 4 * engine.own_cipher.secret_size
        else:
            # The sum goes down once to be opened, each client gets its share of it.
            down += blocks * engine.cipher.sum_bytes
        yield (
            f"At ratio {ratio:g}: {hidden:,} of {spec.size:,} hidden, {up:,} bytes up, "
            f"about {down:,} down."
        )


def _minutes(settings: Settings, inputs: Inputs) -> Iterator[str]:
    """What the work may take, from the time of one step."""
    model, asked = inputs.attacked, settings.training
    listed, local = work.listed(settings, inputs), 0.0
    if asked.rounds:
        step = gradient_seconds(model, inputs, asked.batch_size)
        examples_ = sum(len(client) for client in inputs.training.clients)
        steps = asked.local_epochs * examples_ / asked.batch_size
        local = len(listed.trainings) * asked.rounds * steps * step
    attacked = 0.0
    if listed.attacks:
        step = gradient_seconds(model, inputs, settings.attack.batch_size)
        made = searches(settings, inputs)
        attacked = made * settings.attack.max_iterations * EVALUATIONS * step
    yield (
        f"An estimate from the time of one step: {in_minutes(local / 60)} of training "
        f"and at most {in_minutes(attacked / 60)} of attacks that iterate, besides "
        "encryption and what TensorFlow takes to compile."
    )


def in_minutes(minutes: float) -> str:
    """A time for people: "about 3.2 minutes", or that it is less than one."""
    if minutes < 1:
        return "less than a minute" if minutes else "no time"
    return f"about {minutes:.1f} minutes"


def searches(settings: Settings, inputs: Inputs) -> int:
    """How many searches by gradients the attacks of a run make, at most.

    An envelope's members search on the message and again in each rehearsal; what takes no
    effort (algebra, statistics) does not search.

    Args:
      settings: Checked.
      inputs: The data and the model.
    """
    offered = inputs.modality.attacks
    reasons = why_not(
        settings, inputs, [name for name, entry in offered.items() if entry.is_member]
    )
    members = sum(_searches(offered[name]) for name, why in reasons.items() if not why)
    plays = 1 + (_REHEARSALS if inputs.public_rows else 0)
    return sum(
        members * plays if offered[task.method].envelope else 1
        for task in work.listed(settings, inputs).attacks
    )


def searching(settings: Settings, inputs: Inputs) -> tuple[str, ...]:
    """The attacks of a run that search by gradients, members of envelopes among them.

    Args:
      settings: Checked.
      inputs: The data and the model.
    """
    offered, asked = inputs.modality.attacks, settings.attack.methods
    envelope = any(offered[name].envelope for name in asked)
    return tuple(
        name
        for name, entry in offered.items()
        if (name in asked or (envelope and entry.is_member))
        and not entry.envelope
        and _searches(entry)
    )


def _searches(entry: attack_catalog.Entry) -> bool:
    builder = pkgutil.resolve_name(entry.build)
    return "effort" in inspect.signature(builder).parameters


def gradient_seconds(model: AnyModel, inputs: Inputs, batch_size: int) -> float:
    """Seconds of one compiled gradient of a batch: the least of a few."""
    batch = _batch(model, inputs, range(min(batch_size, len(inputs.dataset))))
    compute: Callable[..., tf.Tensor] = tf.function(
        lambda examples, labels: local_work.gradient(
            model, model.initial_weights, local_work.Batch(examples, labels)
        ),
        autograph=False,
    )
    compute(*batch)
    taken = []
    for _ in range(_REPETITIONS):
        began = time.perf_counter()
        compute(*batch).numpy()
        taken.append(time.perf_counter() - began)
    return min(taken)


def _batch(model: AnyModel, inputs: Inputs, rows: Sequence[int]) -> local_work.Batch:
    found = local_work.Batch(*inputs.modality.batch(model, inputs.dataset, rows))
    return cast(local_work.Batch, tf.nest.map_structure(tf.constant, found))
