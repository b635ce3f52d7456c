"""Pretrained backbones of KerasHub, from a folder, a cache or the internet."""

import pathlib
from typing import Any

_ADVICE = (
    "Pass a folder in KerasHub's or in Hugging Face's layout, copy another machine's "
    "KerasHub cache (`$KAGGLEHUB_CACHE`, by default `~/.cache/kagglehub`), or choose a "
    "model whose weights a package carries"
)


class WeightsNotFoundError(FileNotFoundError):
    """Nothing delivers the weights; the message says what to do."""


def load(kind: Any, preset: str | pathlib.Path, **more: Any) -> Any:
    """Loads a backbone or a tokenizer.

    Args:
      kind: A class of KerasHub, such as `BertBackbone` or `BertTokenizer`.
      preset: A name that it knows, or a folder.
      **more: Arguments of its own, such as `dropout`.

    Returns:
      It, with the preset's weights.

    Raises:
      WeightsNotFoundError: If there is none, or it cannot be fetched.
      ValueError: If the preset is of another architecture or damaged.
    """
    folder = pathlib.Path(preset).expanduser()
    if isinstance(preset, pathlib.Path) or folder.is_absolute():
        if not folder.is_dir():
            raise WeightsNotFoundError(
                f"`preset` must be a folder with weights, but {folder} is none. {_ADVICE}."
            )
        preset = str(folder)
    elif preset not in kind.presets:
        raise WeightsNotFoundError(
            f"`preset` must be a folder, or one of: {', '.join(sorted(kind.presets))}; "
            f"got {preset!r}."
        )
    try:
        return kind.from_preset(preset, **more)
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsNotFoundError(
            f"The weights of {preset!r} could not be loaded ({reason}). {_ADVICE}."
        ) from error
