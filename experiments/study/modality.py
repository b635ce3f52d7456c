"""What a study asks of a modality: pictures, tables, tokens, or others.

Clients, masks, rounds, tasks, records and figures are the same for all. What an example
is, how it comes to a model, and how a reconstruction is measured and shown, stands in the
modality's folder: one value of the type `Modality`.
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from attacks.catalog import Entry
from attacks.knowledge import (
    BlindGuess,
    Knowledge,
    Labels,
    PublicExamples,
    Reconstruction,
)
from attacks.modality import Modality as Attacked
from experiments.data.dataset import Dataset
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.table import Table
from experiments.study.settings import Subject
from selenc_tf.models.any_model import AnyModel
from selenc_tf.types import Weights

M = TypeVar("M", bound=AnyModel)


class Studied(NamedTuple, Generic[M]):
    """A model and its data.

    Attributes:
      dataset: Examples as arrays: of numbers in [0, 1], or integers.
      model: Which takes them.
      facts: What flags do not say, for `config.json`, as which weights these are; of
        numbers also their "value_range" and "value_range_from".
    """

    dataset: Dataset
    model: M
    facts: dict[str, Any]


class Victims(NamedTuple):
    """What was attacked.

    Attributes:
      dataset: The examples.
      rows: Which of them are behind the gradient.
      model: The attacked model.
      weights: Of the attacked round.
      tolerance: float [k], how far off labels may be that are k numbers; None of classes.
    """

    dataset: Dataset
    rows: tuple[int, ...]
    model: Any
    weights: tuple[np.ndarray, ...]
    tolerance: np.ndarray | None = None


class Measured(NamedTuple):
    """What was found of one true example.

    Attributes:
      example: The reconstruction that belongs to it, as data sets have examples.
      measures: By the names of `Leaks`; what was not measured is not there.
      recovered_label: The attacker's label where it is a class, and he was not told.
      label_correct: Whether it is right; None if he was told, or there is none.
      details: Further facts for the record.
    """

    example: np.ndarray
    measures: Mapping[str, Any]
    recovered_label: int | None
    label_correct: bool | None
    details: Mapping[str, Any]


class MemberMeasured(NamedTuple):
    """The same in short, of one of several attacks.

    Attributes:
      measures: By the names of `Leaks`.
      label_correct: As in `Measured`.
      details: The same.
    """

    measures: Mapping[str, Any]
    label_correct: bool | None = None
    details: Mapping[str, Any] = MappingProxyType({})


class Modality(NamedTuple):
    """Examples of one kind, as a study needs them. Models are of its own type.

    Attributes:
      leaks: What its attacks give, and how it is called; with its name.
      load: `(flags) -> Studied`. Refuses in a `SettingsError` what does not fit.
      attacked: What attacks ask of it.
      attacks: The catalogue that its attacks are taken from.
      on_aggregate: The attack on a published aggregate, of which nothing is hidden.
      batch: `(model, dataset, rows) -> (examples, labels)` of a client of a round, as
        the model's `batch_spec` has them.
      inputs: `(model, dataset) -> (inputs, labels)`, nested arrays as the model's task
        takes them, for training and evaluation.
      told: `(model, labels of the data set) -> labels` that an attacker may be told.
      public: `(model, dataset, rows) -> examples` that an attacker may have.
      at_weights: `(model, weights, state) -> model` that starts from them; raises a
        ValueError where it cannot be built again.
      units: `(model) -> arrays` on which the model's gradients depend and that neither
        its weights nor its examples show.
      measure: `(victims, reconstruction) -> Measured` of each row.
      measure_member: The same in short, for one of several attacks: `MemberMeasured`, or
        measures alone.
      show: `(run folder, dataset, records)`: writes what TensorBoard shows of single
        reconstructions, beside the texts.
      texts: `(run folder, dataset, records) -> Markdown by title` for TensorBoard.
      visible: `(dataset) -> word` for what can be looked at there ("pictures"), or "".
      blind: `(knowledge) -> BlindGuess`, the best one that needs no gradient; by default
        there is none.
      chance: `(dataset, row, public examples or None, seed) -> mapping`: what examples
        that no gradient went into reach by chance, as
        `experiments.outputs.blind.details` takes it; by default that is not known.
      one_for_all: `(model, dataset, public examples or None) -> details` of every record:
        what naming one value for all examples has right; nothing by default.
      tables: `(run folder, dataset, records) -> tables` for the terminal, below that of
        the run; none by default.
    """

    leaks: Leaks
    load: Callable[[Subject], Studied[Any]]
    attacked: Attacked
    attacks: Mapping[str, Entry]
    on_aggregate: str
    batch: Callable[[Any, Dataset, Sequence[int]], tuple[Any, Any]]
    inputs: Callable[[Any, Dataset], tuple[Any, Any]]
    told: Callable[[Any, np.ndarray], Labels | None]
    public: Callable[[Any, Dataset, Sequence[int]], PublicExamples]
    at_weights: Callable[[Any, Weights | Sequence[Any], Sequence[Any]], Any]
    units: Callable[[Any], Sequence[np.ndarray]]
    measure: Callable[[Victims, Reconstruction], Sequence[Measured]]
    measure_member: Callable[
        [Victims, Reconstruction], Sequence[MemberMeasured | Mapping[str, Any]]
    ]
    show: Callable[[pathlib.Path, Dataset, Sequence[AttackRecord]], None]
    texts: Callable[[pathlib.Path, Dataset, Sequence[AttackRecord]], Mapping[str, str]]
    visible: Callable[[Dataset], str]
    blind: Callable[[Knowledge[Any]], BlindGuess] = lambda knowledge: BlindGuess(
        None, "none, as nothing is known of such examples without a gradient"
    )
    chance: Callable[[Dataset, int, PublicExamples | None, int], Mapping[str, Any]] = (
        lambda dataset, row, public, seed: {}
    )
    one_for_all: Callable[[Any, Dataset, PublicExamples | None], Mapping[str, Any]] = (
        lambda model, dataset, public: {}
    )
    tables: Callable[
        [pathlib.Path, Dataset, Sequence[AttackRecord]], Sequence[Table]
    ] = lambda run_folder, dataset, records: ()
