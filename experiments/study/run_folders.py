"""Where the files of a run go."""

import pathlib

from experiments.outputs import records
from experiments.study import places
from experiments.study.settings import Place, Settings, Subject


def of(asked: Settings) -> pathlib.Path:
    """The folder of the name that was asked for, or of the model's and the data's."""
    return named(asked.output, default_name(asked, asked.text_file))


def of_analysis(subject: Subject, place: Place) -> pathlib.Path:
    """The folder of an analysis."""
    return named(place, f"{default_name(subject)}_analysis")


def named(place: Place, otherwise: str) -> pathlib.Path:
    """The folder that the flags name, or that of another name in `--logdir`."""
    return places.path_of(place.logdir) / (place.run_name or otherwise)


def default_name(subject: Subject, text_file: str = "") -> str:
    """The name of a folder, made of the model's and the data's."""
    data = text_file or subject.data or subject.dataset
    if not places.is_code(data):
        data = places.path_of(data).stem
    return records.path_name(f"{subject.model}_{data}")
