"""The folder of a run, and whose it is: `config.json`."""

import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import tempfile
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from experiments.outputs import files

FILE_NAME = "config.json"
_FORMAT = 2


class RunConfig(NamedTuple):
    """What a run was asked to do.

    Attributes:
      flags: All flags by name, as JSON can write them.
      neutral_flags: Names of flags that do not determine results (where to write, how
        much to print). A flag is taken to determine results unless it is named here.
      datasets: What the data really is: names that loaders returned, not those asked
        for, so that a run is not continued on other data.
      seeds: The explicit seeds by purpose.
      facts: What else determines results and stands in no flag: what a model of the
        user's own turned out to be.
      defaults: Of flags. A folder of an older version lacks those that came later, and is
        taken to have their defaults: a new flag's is what was done before.
    """

    flags: Mapping[str, Any]
    neutral_flags: Collection[str]
    datasets: Sequence[str]
    seeds: Mapping[str, int]
    facts: Mapping[str, Any] = MappingProxyType({})
    defaults: Mapping[str, Any] = MappingProxyType({})


class RunFolder(NamedTuple):
    """An open run.

    Attributes:
      path: The folder.
      session: Which start of the run this is, from 0; records carry the number.
      notes: What a user should know: which versions or devices changed since the last
        session.
    """

    path: pathlib.Path
    session: int
    notes: tuple[str, ...]


def check_place(
    path: pathlib.Path,
    flags: Mapping[str, Any],
    neutral_flags: Collection[str],
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Checks, before any work, that a run can have its folder.

    Args:
      path: Where `open_run` will open it.
      flags: As in `RunConfig`.
      neutral_flags: As in `RunConfig`.
      defaults: As in `RunConfig`.

    Raises:
      ValueError: If the folder cannot be made or written, is no run, or holds one with
        other flags.
    """
    _check_folder(path)
    if (path / FILE_NAME).exists():
        stored = read_config(path)
        asked = _identity(RunConfig(flags, neutral_flags, (), {}))["flags"]
        _check_same(stored, {**stored, "flags": asked}, path, defaults)


def check_writable(path: pathlib.Path, name: str = "`--logdir`/`--run_name`") -> None:
    """Checks that a folder can be made and written, by doing it: nothing is left.

    Args:
      path: Of the folder.
      name: What names it, for the error.

    Raises:
      ValueError: If it cannot.
    """
    made: list[pathlib.Path] = []
    try:
        for each in (*reversed(path.absolute().parents), path.absolute()):
            if not each.is_dir():
                each.mkdir()
                made.append(each)
        os.rmdir(tempfile.mkdtemp(prefix=".", dir=path))
    except FileExistsError as error:
        raise _unwritable(name, path, f"{error.filename} is a file") from None
    except OSError as error:
        what = (error.strerror or type(error).__name__).lower()
        raise _unwritable(name, path, f"that ends with: {what}") from None
    finally:
        for each in reversed(made):
            with contextlib.suppress(OSError):  # Somebody else put something there.
                each.rmdir()


def _unwritable(name: str, path: pathlib.Path, why: str) -> ValueError:
    return ValueError(
        f"{name} must name a folder that can be made and written, got {path}, but {why}. "
        "Choose another."
    )


def _check_folder(path: pathlib.Path) -> None:
    check_writable(path)
    strangers = [] if not path.exists() else [*path.iterdir()]
    if not (path / FILE_NAME).exists() and any(
        not entry.name.startswith(".") for entry in strangers
    ):
        raise ValueError(
            f"`--logdir`/`--run_name` must name a new folder or a run, but {path} has "
            f"files and no {FILE_NAME}. Choose another `--run_name`."
        )


def check_name(run_name: str) -> None:
    """Checks that a run's name is the name of one folder; else ValueError."""
    if run_name in ("", ".", "..") or pathlib.Path(run_name).name != run_name:
        raise ValueError(
            f"`--run_name` must be the name of one folder, without '/', got "
            f"{run_name!r}. Choose where runs are kept with `--logdir`."
        )


def open_run(
    logdir: pathlib.Path,
    run_name: str,
    config: RunConfig,
    environment: Mapping[str, Any],
    command_line: Sequence[str],
    started: datetime.datetime | None = None,
) -> RunFolder:
    """Creates the folder of a run, or opens it to continue the run.

    Args:
      logdir: The folder of all runs; created if need be.
      run_name: The folder's name in it.
      config: What the run is asked to do.
      environment: What `environment.describe` returns; noted for every session.
      command_line: The program and its arguments.
      started: When the session starts, now by default.

    Returns:
      The folder, with an up-to-date `config.json`.

    Raises:
      ValueError: If the name is no folder name, or the folder is another
        configuration's or not a run at all.
    """
    check_name(run_name)
    path = logdir / run_name
    _check_folder(path)
    path.mkdir(parents=True, exist_ok=True)
    identity = _identity(config)
    sessions: list[Any] = []
    if (path / FILE_NAME).exists():
        stored = read_config(path)
        _check_same(stored, identity, path, config.defaults)
        sessions = stored["sessions"]
    start = started or datetime.datetime.now(datetime.UTC)
    session = _normal(
        {
            "started_utc": start.astimezone(datetime.UTC).isoformat(timespec="seconds"),
            "command_line": list(command_line),
            "neutral_flags": {
                name: value
                for name, value in config.flags.items()
                if name in config.neutral_flags
            },
            **environment,
        }
    )
    notes = _changes(sessions[-1], session) if sessions else ()
    content = {
        "format": _FORMAT,
        "run_name": run_name,
        "config_hash": config_hash(config),
        **identity,
        "sessions": [*sessions, session],
    }
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    files.write_atomically(path / FILE_NAME, text.encode())
    return RunFolder(path, len(sessions), notes)


def config_hash(config: RunConfig) -> str:
    """A short hash of what determines the results: 16 hexadecimal digits."""
    text = json.dumps(_identity(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_config(run_folder: pathlib.Path) -> dict[str, Any]:
    """Reads `config.json`.

    Args:
      run_folder: The folder of a run.

    Returns:
      Its content: "flags", "datasets", "seeds", "config_hash" and "sessions".

    Raises:
      ValueError: If it is damaged or of another format.
    """
    path = run_folder / FILE_NAME
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(
            f"{path} must be JSON, but is damaged ({error}). Restore it, or choose "
            "another `--run_name`; the records beside it are not touched."
        ) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(
            f"{path} must be of format {_FORMAT}, got another: another version of "
            "selenc-tf wrote it. Use that version or choose another `--run_name`."
        )
    return content


def _identity(config: RunConfig) -> dict[str, Any]:
    """The part of the configuration that determines results, as JSON reads it back."""
    identity: dict[str, Any] = _normal(
        {
            "flags": {
                name: config.flags[name]
                for name in sorted(config.flags)
                if name not in config.neutral_flags
            },
            "datasets": list(config.datasets),
            "seeds": dict(config.seeds),
            "facts": dict(config.facts),
        }
    )
    return identity


def _normal(value: Any) -> Any:
    return json.loads(files.to_json(value))


def _check_same(
    stored: Mapping[str, Any],
    identity: Mapping[str, Any],
    path: pathlib.Path,
    defaults: Mapping[str, Any],
) -> None:
    later = identity["flags"].keys() & defaults.keys() - stored["flags"].keys()
    since = _normal({name: defaults[name] for name in later})
    before = _named({**stored, "flags": {**stored["flags"], **since}})
    now = _named(identity)
    differing = [
        f"  {name}: expected {before.get(name, '(not set)')} (in the folder), found "
        f"{now.get(name, '(not set)')} (now)"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if differing:
        raise ValueError(
            f"{path} holds a run with another configuration:\n"
            + "\n".join(differing)
            + "\nUse these values to continue that run, choose another `--run_name` or "
            "`--logdir` for a new one, or delete the folder."
        )


def _named(identity: Mapping[str, Any]) -> dict[str, str]:
    """Every setting under the name by which a user knows it, as JSON text."""
    settings = {f"--{name}": value for name, value in identity["flags"].items()}
    settings["data sets"] = identity["datasets"]
    settings |= {f"seed {name!r}": seed for name, seed in identity["seeds"].items()}
    told = {name: json.dumps(value) for name, value in settings.items()}
    facts = identity.get("facts", {}).items()
    return told | {name.replace("_", " "): fact_in_words(fact) for name, fact in facts}


def fact_in_words(fact: Any) -> str:
    """A fact of a run as messages and reports show it.

    One that is a list of numbers, as the interval of each column of a table, has values
    of somebody's record: it is told from others by its hash.
    """
    if isinstance(fact, list | dict):
        digest = hashlib.sha256(json.dumps(fact, sort_keys=True).encode()).hexdigest()
        return f"numbers with hash {digest[:12]}"
    return json.dumps(fact)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs between two sessions and may make their numbers differ."""
    old, new = _flat_environment(before), _flat_environment(now)
    return tuple(
        f"{name} was {old.get(name)} in the last session of this run and is now "
        f"{new.get(name)}; records say by `session` which one they are of."
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _flat_environment(session: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for part in ("versions", "devices", "cpu", "git"):
        value = session.get(part)
        if isinstance(value, Mapping):
            flat |= {f"{part} {name}": item for name, item in value.items()}
        else:
            flat[part] = value
    return flat
