"""What `--model`, `--weights` and `--data` may name: a catalogue's entry, a file, code.

Nothing is opened here, and a module is only looked for, so that a misspelt flag is refused
at once.
"""

import importlib.machinery
import importlib.util
import pathlib
import re

from experiments.data.text import models as language_models
from selenc_tf import catalog

WEIGHTS = (".weights.h5", ".keras", ".npz")
"""How names of files of weights end."""

_SHOWN = 80
"""Characters of a path in a refusal, at most."""

GIVEN = "given"
"""Stands for the module of a model and of data that no flag names."""

_CODE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def is_code(text: str) -> bool:
    """Whether a text is "package.module:function"."""
    return _CODE.fullmatch(text) is not None


def path_of(text: str, name: str = "A path") -> pathlib.Path:
    """A path as a flag gives it; ~ is the user's home.

    Args:
      text: As it is typed.
      name: Of what, for the error.

    Raises:
      ValueError: If it begins with the home of somebody who is not there, or no file can
        have it.
    """
    try:
        found = pathlib.Path(text).expanduser()
        found.exists()
    except RuntimeError:
        raise ValueError(
            f"{name} must not begin with the home of a user who is not there, got "
            f"{text!r}. Write the folder out."
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise ValueError(
            f"{name} must be a path that can be looked up, got {shown!r}: {why}."
        ) from None
    return found


def check_path(name: str, value: str) -> None:
    """Raises ValueError if the value can be no path."""
    path_of(value, f"`{name}`")


def check_model(name: str, value: str) -> None:
    """Raises ValueError if the value is no model of the catalogue and no code."""
    known = (*catalog.MODELS, *language_models.MODELS)
    if value not in known and not is_code(value):
        raise ValueError(
            f"`{name}` must be one of: {', '.join(known)}; or "
            f"package.module:function of your own; got {value!r}."
        )
    if value not in known:
        _check_module(name, value)


def check_weights(name: str, value: str) -> None:
    """Raises ValueError if the value is given and no file that Keras can load.

    Whether the model takes a folder is asked by `text_rules`.
    """
    if not value or path_of(value, f"`{name}`").is_dir():
        return
    if not value.endswith(WEIGHTS):
        raise ValueError(
            f"`{name}` must be a file whose name ends in {', '.join(WEIGHTS)} (Keras' "
            "`model.save_weights` writes the first), or the folder of a language model, "
            f"that is there, got {value!r}."
        )
    if not path_of(value, f"`{name}`").is_file():
        raise ValueError(f"`{name}` must be a file that is there, got {value!r}.")


def check_text_file(name: str, value: str) -> None:
    """Raises ValueError if the value is given and no file."""
    if value and not path_of(value, f"`{name}`").is_file():
        raise ValueError(
            f"`{name}` must be a file with one sentence a line, but {value!r} is none."
        )


def check_folder(name: str, value: str) -> None:
    """Raises ValueError if the value is given and no folder."""
    if value and not path_of(value, f"`{name}`").is_dir():
        raise ValueError(f"`{name}` must be a folder that is there, got {value!r}.")


def check_name_of_folder(name: str, value: str) -> None:
    """Raises ValueError if the value is empty."""
    if not value:
        raise ValueError(f"`{name}` must be a folder, got nothing: `.` is this one.")
    path_of(value, f"`{name}`")


def check_source(name: str, value: str) -> None:
    """Raises ValueError if the value is given and neither there nor code."""
    if not value:
        return
    if is_code(value):
        _check_module(name, value)
    elif not path_of(value, f"`{name}`").exists():
        raise ValueError(
            f"`{name}` must be a folder or file that is there, or "
            f"package.module:function of your own, got {value!r}."
        )


def _check_module(name: str, code: str) -> None:
    """Raises ValueError if there is no such module, as far as can be seen from outside."""
    module = code.partition(":")[0]
    missing = "" if module == GIVEN else _missing(module)
    if missing:
        raise ValueError(
            f"`{name}` must name a module that can be imported from here, but there is no "
            f"{missing!r}, got {code!r}. Start from the folder that has it, install it, or "
            "set PYTHONPATH."
        )


def _missing(module: str) -> str:
    """The first part of a module's name that is nowhere; empty if all are found."""
    first, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except ValueError:  # It is loaded and says nothing of itself, as __main__.
        return ""
    if spec is None:
        return first
    for depth, part in enumerate(rest, start=2):
        # What is in no folder may be made when it is imported.
        if spec is None or spec.submodule_search_locations is None:
            return ""
        places = list(spec.submodule_search_locations)
        # By its last name: the finder would look for parents among what is imported.
        spec = importlib.machinery.PathFinder.find_spec(part, places)
        # A package may say when it is imported where its parts are.
        if spec is None:
            elsewhere = _sets_its_path(places)
            return "" if elsewhere else ".".join(module.split(".")[:depth])
    return ""


def _sets_its_path(places: list[str]) -> bool:
    starts = [pathlib.Path(place, "__init__.py") for place in places]
    texts = [one.read_text(errors="replace") for one in starts if one.is_file()]
    return any(word in text for text in texts for word in ("__path__", "sys.modules"))
