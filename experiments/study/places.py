"""What `--model`, `--weights` and `--data` may name: a catalogue's entry, a file, code.

Nothing is imported or opened here, so that a misspelt flag is refused at once.
"""

import pathlib
import re

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
    if value not in catalog.MODELS and not is_code(value):
        raise ValueError(
            f"`{name}` must be one of: {', '.join(catalog.MODELS)}; or "
            f"package.module:function of your own; got {value!r}."
        )


def check_weights(name: str, value: str) -> None:
    """Raises ValueError if the value is given and no file that Keras can load."""
    if not value:
        return
    if not value.endswith(WEIGHTS):
        raise ValueError(
            f"`{name}` must be a file whose name ends in {', '.join(WEIGHTS)}, got "
            f"{value!r}. Keras' `model.save_weights` writes the first."
        )
    if not path_of(value).is_file():
        raise ValueError(f"`{name}` must be a file that is there, got {value!r}.")


def check_source(name: str, value: str) -> None:
    """Raises ValueError if the value is given and neither there nor code."""
    if value and not is_code(value) and not path_of(value).exists():
        raise ValueError(
            f"`{name}` must be a folder or file that is there, or "
            f"package.module:function of your own, got {value!r}."
        )
