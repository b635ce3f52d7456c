"""What `--model`, `--weights` and `--data` may name: a catalogue's entry, a file, code.

Nothing is imported or opened here, so that a misspelt flag is refused at once.
"""

import pathlib
import re

from experiments.data.text import models as language_models
from selenc_tf import catalog

WEIGHTS = (".weights.h5", ".keras", ".npz")
"""How names of files of weights end."""

_CODE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def is_code(text: str) -> bool:
    """Whether a text is "package.module:function"."""
    return _CODE.fullmatch(text) is not None


def path_of(text: str) -> pathlib.Path:
    """A path as a flag gives it; ~ is the user's home."""
    return pathlib.Path(text).expanduser()


def check_model(name: str, value: str) -> None:
    """Raises ValueError if the value is no model of the catalogue and no code."""
    known = (*catalog.MODELS, *language_models.MODELS)
    if value not in known and not is_code(value):
        raise ValueError(
            f"`{name}` must be one of: {', '.join(known)}; or "
            f"package.module:function of your own; got {value!r}."
        )


def check_weights(name: str, value: str) -> None:
    """Raises ValueError if the value is given and no file that Keras can load.

    Whether the model takes a folder is asked by `text_rules`.
    """
    if not value or path_of(value).is_dir():
        return
    if not value.endswith(WEIGHTS):
        raise ValueError(
            f"`{name}` must be a file whose name ends in {', '.join(WEIGHTS)}, got "
            f"{value!r}. Keras' `model.save_weights` writes the first."
        )
    if not path_of(value).is_file():
        raise ValueError(f"`{name}` must be a file that is there, got {value!r}.")


def check_text_file(name: str, value: str) -> None:
    """Raises ValueError if the value is given and no file."""
    if value and not path_of(value).is_file():
        raise ValueError(
            f"`{name}` must be a file with one sentence a line, but {value!r} is none."
        )


def check_source(name: str, value: str) -> None:
    """Raises ValueError if the value is given and neither there nor code."""
    if value and not is_code(value) and not path_of(value).exists():
        raise ValueError(
            f"`{name}` must be a folder or file that is there, or "
            f"package.module:function of your own, got {value!r}."
        )
