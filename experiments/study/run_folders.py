"""Where the files of a run go."""

import pathlib

from experiments.outputs import records
from experiments.study import places
from experiments.study.settings import Settings


def of(asked: Settings) -> pathlib.Path:
    """The folder of the name that was asked for, or of the model's and the data's."""
    data = asked.text_file or asked.data or asked.dataset
    if not places.is_code(data):
        data = places.path_of(data).stem
    name = asked.output.run_name or records.path_name(f"{asked.model}_{data}")
    return places.path_of(asked.output.logdir) / name
