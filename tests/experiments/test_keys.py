"""`python -m experiments.keys`: made, handed out, rotated, forgotten, and never shown."""

import io
import pathlib
import stat

import pytest

from experiments import keys
from selenc_tf.lattice import key_files, key_store
from tests.selenc_tf.lattice import ciphers


def execute(action, path, **more):
    """Exit status and everything that is printed."""
    output, errors = io.StringIO(), io.StringIO()
    asked = keys.Keys(action, str(path), **more)
    return keys.execute(asked, [], output, errors), output.getvalue(), errors.getvalue()


def done(action, path, **more):
    status, output, errors = execute(action, path, **more)
    assert (status, errors) == (0, "")
    return output


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "name",
    [
        "tf_shell_bgv",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ciphers.COMPILED),
    ],
)
def test_from_the_holder_to_a_process(tmp_path, name):
    """The key of `make` is that of `selective_encryption` with the same numbers."""
    holder, client = tmp_path / "holder" / "cohort.key", tmp_path / "client-1"
    printed = done("make", holder, cipher=name)
    printed += done("hand_out", holder, to=str(client))
    printed += done("list", client / "cohort.key")
    found = key_store.find(client / "cohort.key")
    assert printed.count(found.key_id) == 3 and "One key for all rounds." in printed
    cipher = ciphers.named(name, 64, 16)
    key = key_store.read(found, cipher).numpy()
    # Of eight octets: four of so many stand in some path once in a thousand runs.
    parts = [key[at : at + 8] for at in range(len(key) - 8)]
    assert len(parts) > 1000
    assert not any(
        part.hex() in printed or repr(part)[2:-1] in printed for part in parts
    )
    assert stat.S_IMODE(pathlib.Path(found.path).stat().st_mode) == 0o600
    assert done("forget", holder, everything=True) == "Deleted 1 key files.\n"
    assert files(tmp_path) == ["cohort.key"]


@pytest.mark.slow
def test_a_series_is_rotated_and_forgotten(tmp_path):
    series = tmp_path / "series"
    insecure = {"cipher": "identity_INSECURE"}
    assert "One key a round: 0-2." in done("make", series, rounds=3, **insecure)
    assert "One key a round: 0-4." in done("rotate", series, rounds=2, **insecure)
    assert "Copied 5" in done("hand_out", series, to=str(tmp_path / "client"))
    (series / f".000001.key.{'0' * 16}").touch(mode=0o600)
    assert "Unfinished files beside: 1." in done("list", series)
    shown_now = done("forget", series, before_round=3)
    assert "Deleted 4 key files." in shown_now and "One key a round: 3-4." in shown_now
    # What is there need not be without gaps.
    (series / key_files.file_name(3)).rename(series / key_files.file_name(7))
    assert "One key a round: 4, 7." in done("list", series)
    done("forget", series, everything=True)
    # Of the client: five keys, and the mark of what it was given.
    assert not series.exists() and len(files(tmp_path)) == 6


@pytest.mark.parametrize(
    ("action", "more", "words"),
    [
        ("hand_out", {}, "`--to`"),
        ("list", {"to": "client"}, "`--to`"),
        ("forget", {}, "`--everything`"),
        ("forget", {"everything": True, "before_round": 2}, "`--everything`"),
        ("list", {"before_round": 2}, "`--before_round` goes with `--action=forget`"),
        ("list", {"rounds": 2}, "with `--action=make` or `--action=rotate`"),
        ("hand_out", {"to": "client", "codec_bits": 8}, "`--codec_bits` goes with"),
        ("make", {"everything": True}, "`--everything` goes with"),
        ("forget", {"everything": True, "cipher": "identity_INSECURE"}, "`--cipher`"),
        ("rotate", {}, "at least 1"),
        ("make", {"codec_bits": 3}, "`--codec_bits`"),
        ("make", {"max_clients": 1}, "at least 2"),
        ("burn", {}, "hand_out"),
    ],
)
def test_flags_that_do_not_go_together(action, more, words, tmp_path):
    status, output, errors = execute(action, tmp_path / "key", **more)
    assert status == 2 and output == "" and words in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("action", "more", "words"),
    [
        ("list", {}, "`--keys` must be a key file"),
        ("hand_out", {"to": "client"}, "--action=make makes one"),
        ("forget", {"everything": True}, "nothing to forget"),
        ("rotate", {"rounds": 1}, "there is no key at"),
    ],
)
def test_where_nothing_is(action, more, words, tmp_path):
    status, output, errors = execute(action, tmp_path / "key", **more)
    assert status == 2 and output == "" and words in errors
    assert "path`" not in errors and "key_store" not in errors


@pytest.mark.parametrize("action", keys.ACTIONS)
def test_where_no_home_is(action):
    more = {"hand_out": {"to": "client"}, "forget": {"everything": True}}
    rounds = {"rounds": 1} if action == "rotate" else more.get(action, {})
    status, _, errors = execute(action, "~nobody_of_that_name/x", **rounds)
    assert status == 2 and "`--keys` must not begin with the home" in errors


@pytest.mark.parametrize("series", [0, 2])
def test_where_nothing_can_be_written(series, tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    status, _, errors = execute("make", blocker / "x" / "key", rounds=series)
    assert status == 2 and "`--keys`" in errors and "is a file" in errors
    (tmp_path / "some.key").touch(0o600)
    status, _, errors = execute("hand_out", tmp_path / "some.key", to=str(blocker))
    assert status == 2 and "`--to`" in errors and "is a file" in errors
    assert files(tmp_path) == ["file", "some.key"]


@pytest.mark.slow
def test_what_is_there_decides_too(tmp_path):
    one, series = tmp_path / "one.key", tmp_path / "series"
    insecure = {"cipher": "identity_INSECURE"}
    for action, more in (
        ("list", {}),
        ("hand_out", {"to": str(tmp_path / "client")}),
        ("forget", {"everything": True}),
    ):
        status, _, errors = execute(action, one, **more)
        assert status == 2 and "there is no" in errors
    done("make", one, **insecure)
    done("make", series, rounds=1, **insecure)
    for action, path, more, words in (
        ("make", one, insecure, "never overwritten"),
        ("make", series, {"rounds": 1, **insecure}, "--action=rotate"),
        ("rotate", one, {"rounds": 1, **insecure}, "for all rounds"),
        ("rotate", series, {"rounds": 1, "max_clients": 9, **insecure}, "parameters"),
        ("forget", one, {"before_round": 1}, "for all rounds"),
        ("list", "", {}, "`--keys` must be given"),
    ):
        status, _, errors = execute(action, path, **more)
        assert status == 2 and words in errors, (action, errors)
    one.chmod(0o644)
    status, _, errors = execute("list", one)
    assert status == 2 and "chmod go=" in errors
    assert files(tmp_path) == ["000000.key", "one.key"]
