"""Files of flags are read once, and refused in words where they cannot be."""

import os
import threading

import pytest
from absl import flags

from experiments.study import flag_files


def texts(*arguments):
    """The command line without the program, as it is after reading."""
    return [one.text for one in flag_files.expanded(["program", *arguments])[1:]]


def refusal(*arguments):
    with pytest.raises(flags.Error) as error:
        flag_files.expanded(["program", *arguments])
    return str(error.value)


def test_lines_stand_where_the_file_was_named(tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text("\ufeff--seed=1\r\n\n  # no comment\n// one\n-nodry_run\n")
    outer.write_text(f"# Of the model.\n--flagfile={inner}\n--rounds=2\n")
    line = ["--a=1", f"--flagfile={outer}", "--b", "--", "--flagfile=none"]
    assert texts(*line) == [
        "--a=1", "--seed=1", "# no comment", "-nodry_run", "--rounds=2", "--b", "--",
        "--flagfile=none",
    ]  # fmt: skip
    assert texts("--flagfile", str(inner))[0] == "--seed=1"
    assert texts(f"-flagfile={inner}")[0] == "--seed=1"
    assert texts("--flagfile=/dev/null") == []


def test_a_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("--rounds=-1\n",))
    writer.start()
    assert texts(f"--flagfile={pipe}") == ["--rounds=-1"]
    writer.join()


def test_what_cannot_be_read(tmp_path):
    assert "got nothing" in refusal("--flagfile=")
    assert "got nothing" in refusal("--flagfile")
    assert "No such file" in refusal(f"--flagfile={tmp_path / 'none'}")
    assert "No such file" in refusal("--flagfile=~nobody_of_that_name/none")
    assert "Is a directory" in refusal("--flagfile", str(tmp_path))
    assert "is a device" in refusal("--flagfile=/dev/zero")
    (tmp_path / "octets").write_bytes(b"\xff\xfe")
    assert "no text in UTF-8" in refusal(f"--flagfile={tmp_path / 'octets'}")


def test_what_leads_back_to_itself(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(f"--seed=1\n--flagfile={two}\n")
    two.write_text(f"--flagfile={one}\n")
    assert "names itself" in refusal(f"--flagfile={one}")


def test_a_flag_is_found_where_it_stands(tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text("# Of the model.\n--seeed=1\n-nodry_run\n")
    outer.write_text(f"--flagfile={inner}\n--rounds=2\n")
    line = flag_files.expanded(["program", f"--flagfile={outer}", "--seed=1"])
    assert flag_files.place_of(line, "seeed").endswith(f"{inner}, line 2.")
    assert flag_files.place_of(line, "dry_run").endswith(f"{inner}, line 3.")
    assert flag_files.place_of(line, "rounds").endswith(f"{outer}, line 2.")
    assert flag_files.place_of(line, "seed") == ""


def test_data_of_the_command_line_win_over_those_of_a_file_before_them(tmp_path):
    file = tmp_path / "file"
    file.write_text("--dataset=vader_movies\n--max_tokens=16\n")
    named = f"--flagfile={file}"
    assert texts(named, "--text_file=a.txt") == ["--max_tokens=16", "--text_file=a.txt"]
    assert texts(named, "-data", "a.csv") == ["--max_tokens=16", "-data", "a.csv"]
    # What stands before the file does not, nor does what both can have.
    assert texts("--text_file=a.txt", named)[1] == "--dataset=vader_movies"
    assert texts(named, "--dataset=cola")[0] == "--dataset=vader_movies"
    both = ["--dataset=cola", "--text_file=a.txt"]
    assert texts(*both) == both
    file.write_text("--text_file=a.txt\n--seed=1\n")
    assert texts(named, "--dataset=cola") == ["--seed=1", "--dataset=cola"]
