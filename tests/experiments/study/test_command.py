"""What ends a command, and where its files go."""

import os
import subprocess
import sys

import pytest

from experiments.study import command as command_lib
from experiments.study import run_folders
from tests.experiments import command

STOPPED = "Stopped. What was finished is kept."

ENDED = """
import dataclasses, os, signal, time
from experiments.study import command

@dataclasses.dataclass(frozen=True)
class Nothing:
    pass

def execute(asked, line):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
    except KeyboardInterrupt:
        return command.STOPPED
    return 0

command.start(Nothing, execute)
"""


def test_a_terminated_process_stops_as_after_ctrl_c():
    ended = subprocess.run([sys.executable, "-c", ENDED], timeout=60, check=False)
    assert ended.returncode == 130


def ended_by(body):
    """How a command ends whose work is that."""
    start = ENDED.index("    try:")
    code = ENDED[:start] + body + ENDED[ENDED.index("    return 0") :]
    line = [sys.executable, "-c", code]
    return subprocess.run(line, timeout=60, check=False, capture_output=True, text=True)


def test_a_stop_that_nobody_expects_is_a_sentence():
    ended = ended_by("    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(20)\n")
    assert (ended.returncode, ended.stderr.strip()) == (130, STOPPED)


def test_a_stop_that_others_swallow_comes_again():
    ended = ended_by(
        "    command.stopping._AGAIN_SECONDS = 0.5\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
        "    time.sleep(20)\n"
    )
    assert (ended.returncode, ended.stderr.strip()) == (130, STOPPED)


def test_a_stop_that_was_heard_does_not():
    ended = ended_by(
        "    command.stopping._AGAIN_SECONDS = 0.2\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except KeyboardInterrupt:\n"
        "        command.stopping.heard()\n"
        "    time.sleep(1)\n"
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_program_of_the_environment_is_called_by_its_path(tmp_path, monkeypatch):
    """Nobody said that the environment is activated."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert command_lib.program("tensorboard") == "tensorboard"
    own = tmp_path / ".venv" / "bin" / "tensorboard"
    own.parent.mkdir(parents=True)
    own.touch()
    assert command_lib.program("tensorboard") == str(own)
    monkeypatch.chdir(tmp_path)
    assert command_lib.program("tensorboard") == ".venv/bin/tensorboard"


def test_help_is_given_and_no_failure():
    code = ENDED.replace("def execute", "def unused")
    code = code.replace(
        "command.start(Nothing, execute)", "command.start(Nothing, None)"
    )
    line = [sys.executable, "-c", code, "--help"]
    ended = subprocess.run(line, timeout=60, check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (("--model=lenet", "--dataset=mnist"), "lenet_mnist"),
        (("--model=mine.zoo:small", "--data=data/mine.npz"), "mine.zoo-small_mine"),
        (("--run_name=third",), "third"),
    ],
)
def test_a_run_has_a_folder_of_its_own(flags, name, tmp_path):
    asked = command.parse(*flags, f"--logdir={tmp_path}")
    assert run_folders.of(asked) == tmp_path / name


def test_what_native_code_prints_while_a_command_prepares_is_not_shown(capfd):
    def prepare():
        os.write(1, b"INFO: Generating key\n")

    def work(_):
        os.write(1, b"a table\n")
        return 0

    assert command_lib.perform(prepare, work, sys.stderr) == 0
    assert capfd.readouterr().out == "a table\n"


def said_to_nobody(line):
    """How a program ends whose output nobody reads, and what it says of it."""
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as one:
        one.stdout.close()
        said = one.stderr.read().decode()
    return one.returncode, said


def test_help_that_nobody_reads_to_its_end_is_no_fault():
    line = [sys.executable, "-m", "experiments.keys", "--help"]
    assert said_to_nobody(line) == (0, "")


def test_a_command_whose_reader_goes_away_says_so():
    start = ENDED.index("    try:")
    body = "    printing = lambda _: print('x' * 10**6) or 0\n"
    body += "    return command.perform(lambda: None, printing, sys.stderr)\n"
    code = (
        "import sys\n" + ENDED[:start] + body + ENDED[ENDED.index("\n\ncommand.st") :]
    )
    status, said = said_to_nobody([sys.executable, "-c", code])
    assert status == 130 and "Nobody reads what is printed" in said
