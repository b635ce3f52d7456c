"""Whether there are keys where `experiments.keys` looks for them, and room for new ones.

Only names of files are looked at: what is refused here costs no library.
"""

import pathlib
from collections.abc import Iterator

from experiments.outputs import run_directory
from experiments.study import places
from selenc_tf.lattice import key_files


def problems(
    action: str, path: str, to: str, series: bool, part: bool
) -> Iterator[str]:
    """What is wrong with the places of an action.

    Args:
      action: As of `--action`.
      path: As of `--keys`.
      to: As of `--to`.
      series: Whether a series is to be made.
      part: Whether some keys of a series are to be forgotten.

    Yields:
      A sentence for each problem.

    Raises:
      ValueError: If a path can be none, which is said of the flag alone.
    """
    keys = places.path_of(path).absolute()
    if action == "make":
        yield from _new(keys, series)
        return
    if action == "forget" and not part:
        there = _unfinished_too(keys)
    else:
        there = key_files.files_of(keys) if keys.is_dir() else [keys]
    if not any(one.is_file() for one in there):
        what = "nothing to forget" if action == "forget" else "no key"
        yield (
            "`--keys` must be a key file or the folder of a series of keys, but there is "
            f"{what} at {keys}. --action=make makes one."
        )
        return
    if action == "rotate" and not keys.is_dir():
        yield (
            f"`--keys` must be a series with one key a round, but {keys} is a key for all "
            "rounds. Make a new one under another name, and hand that out."
        )
    if part and not keys.is_dir():
        yield (
            f"`--keys` must be a series with one key a round, but {keys} is a key for all "
            "rounds. Delete it with --everything once no round needs it."
        )
    if action == "hand_out":
        folder = places.path_of(to).absolute()
        copy = folder / keys.name
        if keys.is_file() and copy.exists():
            yield (
                f"`--to` must have no key of that name, but {copy} is there. A key file is "
                "never overwritten: delete it with --action=forget if no ciphertext needs "
                "it."
            )
        yield from _writable(folder, "`--to`")


def _new(keys: pathlib.Path, series: bool) -> Iterator[str]:
    if series and keys.is_dir() and key_files.files_of(keys):
        yield (
            f"`--keys` must be a new folder, but there are keys in {keys}. Add to them "
            "with --action=rotate."
        )
    elif series:
        yield from _writable(keys, "`--keys`")
    elif keys.exists():
        yield (
            f"`--keys` must not exist yet, but {keys} does. A key file is never "
            "overwritten: choose another name, or delete it with --action=forget if no "
            "ciphertext needs it."
        )
    else:
        yield from _writable(keys.parent, "the folder of `--keys`")


def _writable(folder: pathlib.Path, name: str) -> Iterator[str]:
    try:
        run_directory.check_writable(folder, name)
    except ValueError as error:
        said = str(error)
        yield said[0].upper() + said[1:]


def _unfinished_too(keys: pathlib.Path) -> list[pathlib.Path]:
    if keys.is_dir():
        return [path for _, path in key_files.numbered(keys)]
    return key_files.names_of(keys)
