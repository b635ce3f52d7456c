"""Keys at rest: whoever is killed, or has no room, leaves nothing that cannot be found."""

import concurrent.futures
import contextlib
import errno
import os
import pathlib
import resource
import stat
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from selenc_tf.lattice import key_files, key_folders, key_store
from selenc_tf.lattice.identity_cipher import build_identity_cipher_INSECURE
from selenc_tf.lattice.key_store import KeySet

KEY = b"as long as a key" * 900
CIPHER = build_identity_cipher_INSECURE(4, 257, 2)._replace(
    keygen=lambda: tf.constant(KEY)
)
CALLS = ("mkdir", "open", "fstat", "fsync", "link", "close", "unlink")
STEPS = 16
"""More than the calls of making a key."""


class Killed(BaseException):
    """The end of a process, which no clean-up outlives."""


class Calls:
    """The module `os`, whose calls fail from one of them on.

    Attributes:
      left: How many calls still work.
      failure: What the others raise; for good, or once.
    """

    def __init__(self, left, failure, once=False):
        self.left, self.failure, self._once = left, failure, once

    def __getattr__(self, name):
        real = getattr(os, name)

        def call(*arguments, **named):
            self.left -= 1
            if self.left == -1 or (self.left < 0 and not self._once):
                raise self.failure
            return real(*arguments, **named)

        return call if name in CALLS else real


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def left_in(folder):
    """What lies in a folder, its own folders aside."""
    return [path for path in folder.rglob("*") if not path.is_dir()]


# Killed, or without room, at every step


@pytest.mark.parametrize("step", range(STEPS))
def test_a_killed_create_leaves_nothing_that_delete_does_not_find(
    step, tmp_path, monkeypatch
):
    target = tmp_path / "new" / "store" / "cohort.key"
    calls = Calls(step, Killed())
    with monkeypatch.context() as patch:
        patch.setattr(key_files, "os", calls)
        try:
            key_store.create(target, CIPHER)
            assert step > 8
        except Killed:
            assert step < STEPS - 1
    if target.exists():
        assert key_store.read(key_store.find(target), CIPHER) == KEY
    for path in left_in(tmp_path):
        assert mode(path) == 0o600 and path in key_files.names_of(target)
    key_store.delete(target)
    assert not left_in(tmp_path)
    # And the name is free again.
    assert key_store.find(key_store.create(target, CIPHER).path).path == str(target)


@pytest.mark.parametrize("step", range(0, 2 * STEPS, 3))
def test_a_killed_create_leaves_nothing_that_forget_does_not_find(
    step, tmp_path, monkeypatch
):
    folder = tmp_path / "series"
    with monkeypatch.context() as patch:
        patch.setattr(key_files, "os", Calls(step, Killed()))
        with pytest.raises(Killed):
            key_store.create_series(folder, CIPHER, 5)
    keys = KeySet(str(folder), "0" * 16, rotates=True)
    if folder.exists():
        key_store.forget(keys, 2)
        assert all(number >= 2 for number, _ in key_files.numbered(folder))
        key_store.forget(keys, 5)
    assert not left_in(tmp_path)


def test_killed_while_the_key_is_made(tmp_path, monkeypatch):
    calls = Calls(99, Killed())

    def die():
        calls.left = 0
        raise Killed

    target = tmp_path / "cohort.key"
    with monkeypatch.context() as patch:
        patch.setattr(key_files, "os", calls)
        with pytest.raises(Killed):
            key_store.create(target, CIPHER._replace(keygen=die))
    assert not target.exists() and len(left_in(tmp_path)) == 1
    assert key_store.delete(target) == 1
    assert not left_in(tmp_path)


@pytest.mark.parametrize(
    "name", ["line\nbreak.key", "\n", "two.\r\n", "\x1b.key", "..", " "]
)
def test_whatever_its_name_what_is_left_of_it_is_found(name, tmp_path, monkeypatch):
    target = tmp_path / f"{name}{name}"
    with monkeypatch.context() as patch:
        # Killed when all of it is written, and has not got its name.
        patch.setattr(key_files, "os", Calls(3, Killed()))
        with pytest.raises(Killed):
            key_store.create(target, CIPHER)
    (left,) = left_in(tmp_path)
    assert KEY in left.read_bytes()
    assert key_store.delete(target) == 1 and not left_in(tmp_path)


@pytest.mark.parametrize("name", ["folder", "folder/..", "file", "link"])
def test_no_key_is_drawn_for_a_name_that_is_taken(name, tmp_path):
    """What a killed `create` left beside a folder would be no key of the folder's."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch(0o600)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError, match="must not exist yet"):
        key_store.create(tmp_path / name, CIPHER._replace(keygen=None))


def test_a_name_of_an_unfinished_key_is_refused(tmp_path):
    """The key would go with another, and not when it is deleted itself."""
    name = f".cohort.key.{'0' * 16}"
    with pytest.raises(ValueError, match=r"one of the key 'cohort\.key'"):
        key_store.create(tmp_path / name, CIPHER)
    # It can be deleted by its own name.
    (tmp_path / name).touch()
    assert key_store.delete(tmp_path / name) == 1 and not left_in(tmp_path)


@pytest.mark.parametrize("step", range(STEPS))
def test_a_full_disk_leaves_a_whole_key_or_none(step, tmp_path, monkeypatch):
    target = tmp_path / "store" / "cohort.key"
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(key_files, "os", Calls(step, full, once=True))
        try:
            key_store.create(target, CIPHER)
        except OSError as error:
            assert error.errno == errno.ENOSPC
    if target.exists():
        assert key_store.read(key_store.find(target), CIPHER) == KEY
    # Only a file that could not be deleted either is left, where `delete` finds it.
    assert len(left_in(tmp_path)) <= 2
    key_store.delete(target)
    assert not left_in(tmp_path)


@pytest.fixture
def small_files():
    """No file may become longer than 5,000 bytes, which is as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_room_is_a_sentence(tmp_path, small_files):
    with pytest.raises(OSError, match=r"no room for .*cohort\.key") as error:
        key_store.create(tmp_path / "cohort.key", CIPHER)
    assert KEY[:9].decode() not in str(error.value)
    assert not left_in(tmp_path)
    with pytest.raises(OSError, match="no room"):
        key_store.create_series(tmp_path / "series", CIPHER, 2)
    assert not left_in(tmp_path)


# Whose they are


def test_every_folder_that_is_made_is_the_owner_s(tmp_path):
    before = os.umask(0)
    try:
        key_store.create(tmp_path / "a" / "b" / "key", CIPHER)
        key_store.create_series(tmp_path / "c" / "d", CIPHER, 1)
    finally:
        os.umask(before)
    assert [mode(tmp_path / name) for name in ("a", "a/b", "c", "c/d")] == [0o700] * 4


@pytest.mark.parametrize("bits", [0o604, 0o640, 0o602, 0o660])
def test_a_key_that_others_can_read_is_refused(bits, tmp_path):
    keys = key_store.create(tmp_path / "cohort.key", CIPHER)
    series = key_store.create_series(tmp_path / "series", CIPHER, 2)
    for one, file in ((keys, "cohort.key"), (series, "series/000001.key")):
        (tmp_path / file).chmod(bits)
        for use in (
            lambda one: key_store.find(one.path),
            lambda one: key_store.read(one, CIPHER),
        ):
            with pytest.raises(PermissionError, match=r"chmod go= .*\.key") as error:
                use(one)
            assert str(error.value).count(". ") == 1 and f"0{bits:o}" in str(
                error.value
            )
        (tmp_path / file).chmod(0o400)
        assert key_store.find(one.path) == one


def test_a_folder_that_others_can_write_to_is_refused(tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    for bits in (0o770, 0o707):
        folder.chmod(bits)
        with pytest.raises(PermissionError, match="put keys of theirs into"):
            key_store.create_series(folder, CIPHER, 1)
    assert not left_in(folder)
    folder.chmod(0o755)
    made = key_store.create_series(folder, CIPHER, 1)
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="put keys of theirs into"):
        key_store.find(made.path)


@pytest.mark.parametrize("name", ["cohort.key", "series"])
def test_names_that_others_can_see_are_warned_of(name, tmp_path, monkeypatch):
    outer, folder = tmp_path / "outer", tmp_path / "outer" / "keys"
    key_store.create(folder / "cohort.key", CIPHER)
    key_store.create_series(folder / "series", CIPHER, 1)
    # pytest's own folders are closed.
    real = key_files.path_steps.steps_to
    monkeypatch.setattr(
        key_files.path_steps,
        "steps_to",
        lambda path: [step for step in real(path) if outer in (step, *step.parents)],
    )
    last = folder / name if name == "series" else folder
    keys = key_store.find(folder / name)
    for one in (outer, folder):
        one.chmod(0o711)
    for bits in (0o755, 0o750, 0o711):
        last.chmod(bits)
        for use in (
            lambda: key_store.find(keys.path),
            lambda: key_store.read(keys, CIPHER),
        ):
            with pytest.warns(UserWarning, match=f"see which keys .* go= {last}, "):
                use()
    last.chmod(0o700)
    assert key_store.find(folder / name) == keys
    last.chmod(0o755)
    outer.chmod(0o700)  # Nobody else comes there.
    assert key_store.find(folder / name) == keys


@pytest.mark.parametrize("above", [".", "above"])
@pytest.mark.parametrize("bits", [0o777, 0o775, 0o757])
def test_a_key_in_a_folder_that_others_may_write_is_refused(above, bits, tmp_path):
    folder = tmp_path / "above" / "keys"
    folder.mkdir(parents=True)
    keys = key_store.create(folder / "cohort.key", CIPHER)
    series = key_store.create_series(folder / "series", CIPHER, 1)
    open_folder = folder.parent if above == "above" else folder
    open_folder.chmod(bits)
    for one in (keys, series):
        for use in (
            lambda one: key_store.find(one.path),
            lambda one: key_store.read(one, CIPHER),
        ):
            with pytest.raises(PermissionError, match="exchange what lies in") as error:
                use(one)
            assert f"chmod go-w {open_folder}" in str(error.value)
    open_folder.chmod(0o1777)  # As /tmp: nobody may rename what is another's.
    assert key_store.find(keys.path) == keys
    assert key_store.find(series.path) == series


def test_a_key_behind_a_link_lies_where_the_link_leads(tmp_path):
    real = tmp_path / "open" / "keys"
    real.mkdir(parents=True)
    key_store.create(real / "cohort.key", CIPHER)
    (tmp_path / "link.key").symlink_to(real / "cohort.key")
    assert key_store.find(tmp_path / "link.key")
    real.parent.chmod(0o777)
    with pytest.raises(PermissionError, match="exchange what lies in"):
        key_store.find(tmp_path / "link.key")
    with pytest.raises(PermissionError, match="exchange what lies in"):
        key_store.create(real / "another.key", CIPHER)
    assert not (real / "another.key").exists()


def test_a_series_in_a_sticky_folder_that_others_can_write_to_is_refused(tmp_path):
    """The key of a later round, which is not there yet, could be theirs."""
    made = key_store.create_series(tmp_path / "series", CIPHER, 1)
    (tmp_path / "series").chmod(0o1777)
    with pytest.raises(PermissionError, match="put keys of theirs into"):
        key_store.find(made.path)


def test_every_folder_that_links_lead_through_counts(tmp_path):
    """The one between two links stands in neither name of the key."""
    for name in ("real", "between", "first"):
        (tmp_path / name).mkdir()
    key_store.create(tmp_path / "real" / "cohort.key", CIPHER)
    (tmp_path / "between" / "second").symlink_to("../real")
    (tmp_path / "first" / "link").symlink_to(tmp_path / "between" / "second")
    keys = key_store.find(tmp_path / "first" / "link" / "cohort.key")
    (tmp_path / "between").chmod(0o775)
    with pytest.raises(PermissionError, match=r"exchange what lies in .*between "):
        key_store.read(keys, CIPHER)


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "one").symlink_to("another")
    (tmp_path / "another").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links"):
        key_store.create(tmp_path / "one" / "cohort.key", CIPHER)


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can give a file away.")
@pytest.mark.parametrize("what", ["above", "above/keys", "above/keys/{}", "link"])
@pytest.mark.parametrize("name", ["cohort.key", "series"])
def test_what_another_user_owns_is_refused(what, name, tmp_path):
    folder = tmp_path / "above" / "keys"
    key_store.create(folder / "cohort.key", CIPHER)
    key_store.create_series(folder / "series", CIPHER, 1)
    (tmp_path / "link").symlink_to(folder)
    keys = key_store.find(tmp_path / "link" / name)
    theirs = tmp_path / what.format(name)
    os.chown(theirs, 65534, -1, follow_symlinks=False)
    if theirs.is_dir() and theirs != folder / name:
        theirs.chmod(0o1755)  # A sticky folder's owner may rename what lies in it, too.
    for use in (
        lambda: key_store.find(keys.path),
        lambda: key_store.read(keys, CIPHER),
    ):
        with pytest.raises(PermissionError, match="the number 65534"):
            use()


def test_not_through_a_link_that_somebody_laid(tmp_path, monkeypatch):
    """The name of the unfinished file is guessed: it is not written through."""
    monkeypatch.setattr(key_files.secrets, "token_hex", lambda count: "0" * 16)
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / f".cohort.key.{'0' * 16}").symlink_to(elsewhere)
    with pytest.raises(FileExistsError):
        key_store.create(tmp_path / "cohort.key", CIPHER)
    assert not elsewhere.exists()


def test_written_by_the_descriptor(tmp_path):
    """Who puts a file in the place of the unfinished one gets no key."""
    target = tmp_path / "cohort.key"

    def exchange():
        (unfinished,) = tmp_path.iterdir()
        unfinished.rename(tmp_path / "ours")
        unfinished.write_bytes(b"theirs")
        return tf.constant(KEY)

    key_store.create(target, CIPHER._replace(keygen=exchange))
    assert target.read_bytes() == b"theirs"
    assert KEY in (tmp_path / "ours").read_bytes()


# Deleting


def test_delete_keeps_what_is_no_key(tmp_path):
    folder = tmp_path / "series"
    key_store.create_series(folder, CIPHER, 3)
    (folder / "notes.txt").touch()
    assert key_store.delete(folder) == 3
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    for name in ("a.key", "b.key"):
        key_store.create(tmp_path / name, CIPHER)
    assert key_store.delete(tmp_path / "a.key") == 1
    assert key_store.find(tmp_path / "b.key").rotates is False
    assert key_store.delete(tmp_path / "a.key") == 0
    assert key_store.delete(tmp_path / "nowhere" / "a.key") == 0
    (folder / "notes.txt").unlink()
    key_store.create_series(folder, CIPHER, 1)
    assert key_store.delete(folder) == 1
    assert not folder.exists()


# Several processes


@pytest.mark.slow
def test_many_that_make_one_series_at_a_time_agree_on_its_id(tmp_path):
    def make(number):
        return key_store.create_series(tmp_path / "series", CIPHER, 3, 3 * number)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = set(pool.map(make, range(8)))
    assert len(made) == 1 and made == {key_store.find(tmp_path / "series")}
    ids = {key_store._read_id(path) for path in key_files.files_of(tmp_path / "series")}
    assert len(ids) == 1 and len(left_in(tmp_path)) == 24


@pytest.fixture
def run():
    """`run(code, *arguments)`: a process whose output can be read."""
    with contextlib.ExitStack() as running:

        def start(code, *arguments):
            process = running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", code, *map(str, arguments)],
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            running.callback(process.kill)
            return process

        yield start


MAKER = """
import pathlib, sys
from selenc_tf.lattice import key_files
target = pathlib.Path(sys.argv[1])
made = []
for number in range(60):
    try:
        key_files.write_new(
            target / f"{number}.key",
            lambda descriptor: __import__("os").write(descriptor, sys.argv[2].encode()),
        )
        made.append(number)
    except FileExistsError:
        pass
print(len(made))
"""


def test_two_processes_on_one_folder(tmp_path, run):
    folder = tmp_path / "store"
    makers = [run(MAKER, folder, letter * 5000) for letter in "ab"]
    counts = [int(maker.communicate()[0]) for maker in makers]
    assert sum(counts) == 60
    content = [path.read_text() for path in folder.iterdir()]
    assert all(text in ("a" * 5000, "b" * 5000) for text in content)
    assert [sum(text[0] == letter for text in content) for letter in "ab"] == counts


KEEPER = """
import os, sys, time
from selenc_tf.lattice import key_folders
with key_folders.temporary() as folder:
    (folder / "study.key").write_text("secret")
    child = os.fork() if sys.argv[1] == "forks" else None
    if child == 0:
        sys.exit()
    if child:
        os.waitpid(child, 0)
    print(folder, folder.exists(), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(key_folders.tempfile, "tempdir", None)
    return tmp_path


@pytest.mark.parametrize("how", ["alone", "forks"])
def test_folders_of_the_killed_go_and_those_of_the_living_stay(
    how, temporary_files, run
):
    keeper = run(KEEPER, how)
    name, there = keeper.stdout.readline().split()
    folder = pathlib.Path(name)
    assert there == "True" and mode(folder) == 0o700
    assert key_folders.sweep() == 0 and (folder / "study.key").exists()
    keeper.kill()
    keeper.wait()
    assert (folder / "study.key").exists()
    with key_folders.temporary() as own:
        assert not folder.exists()
        assert key_folders.sweep() == 0
        assert [path for path in temporary_files.iterdir()] == [own]
    assert not list(temporary_files.iterdir())


def test_a_fork_that_outlives_its_parent_still_has_the_folder(temporary_files, run):
    code = KEEPER.replace("sys.exit()", "time.sleep(60)").replace(
        "os.waitpid(child, 0)", "print(child, flush=True)"
    )
    keeper = run(code, "forks")
    child = int(keeper.stdout.readline())
    folder = pathlib.Path(keeper.stdout.readline().split()[0])
    keeper.kill()
    keeper.wait()
    try:
        assert key_folders.sweep() == 0 and folder.exists()
    finally:
        os.kill(child, 9)
    for _ in range(100):
        if key_folders.sweep():
            break
        time.sleep(0.05)
    assert not folder.exists()


def test_what_is_not_ours_is_not_swept(temporary_files):
    old = temporary_files / "selenc-keys-of-an-earlier-version"
    old.mkdir()
    (old / "study.key").touch()
    (temporary_files / "selenc-keys-link").symlink_to(old)
    (temporary_files / "selenc-keys-file").touch()
    assert key_folders.sweep() == 0
    assert (old / "study.key").exists()


@pytest.mark.parametrize("steps", range(5))
def test_who_is_killed_while_deleting_leaves_the_rest_to_the_next(
    steps, temporary_files, monkeypatch
):
    left, real = [steps], os.unlink

    def dying(*arguments, **named):
        if not left[0]:
            raise Killed
        left[0] -= 1
        return real(*arguments, **named)

    folder = key_folders.make()
    for name in ("a.key", "b.key", "c.key"):
        (folder.path / name).touch()
    (folder.path / "series").mkdir()
    (folder.path / "series" / "000000.key").touch()
    monkeypatch.setattr(os, "unlink", dying)
    with pytest.raises(Killed):
        folder.delete()
    monkeypatch.setattr(os, "unlink", real)
    key_folders.sweep()
    assert not folder.path.exists()


def test_an_exception_ends_the_folder_too(temporary_files):
    with pytest.raises(KeyboardInterrupt), key_folders.temporary() as folder:
        (folder / "study.key").touch()
        raise KeyboardInterrupt
    assert not list(temporary_files.iterdir())
    kept = key_folders.make()
    kept.delete()
    kept.delete()
    assert not kept.path.exists()


def test_many_that_start_at_a_time_do_not_take_each_other_s_folder(temporary_files):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: key_folders.make(), range(40)))
    assert all((one.path / "owner.lock").exists() for one in made)
    for one in made:
        one.delete()
    assert not list(temporary_files.iterdir())
