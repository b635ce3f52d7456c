"""Files of flags that cannot be read are refused in words, before anything else."""

import pytest
from absl import flags

from experiments.study import flag_files


def refusal(*arguments):
    with pytest.raises(flags.Error) as error:
        flag_files.check(["program", *arguments])
    return str(error.value)


def test_what_cannot_be_read(tmp_path):
    assert "got nothing" in refusal("--flagfile=")
    assert "No such file" in refusal(f"--flagfile={tmp_path / 'none'}")
    assert "Is a directory" in refusal("--flagfile", str(tmp_path))
    (tmp_path / "octets").write_bytes(b"\xff\xfe")
    assert "no text in UTF-8" in refusal(f"-flagfile={tmp_path / 'octets'}")


def test_what_leads_back_to_itself(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(f"--seed=1\n--flagfile={two}\n")
    two.write_text(f"--flagfile={one}\n")
    assert "names itself" in refusal(f"--flagfile={one}")


def test_a_flag_is_found_where_it_stands(tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text("# Of the model.\n--seeed=1\n-nodry_run\n")
    outer.write_text(f"--flagfile={inner}\n--rounds=2\n")
    line = ["program", f"--flagfile={outer}", "--seed=1", "--", "--flagfile=none"]
    flag_files.check(line)
    assert flag_files.place_of(line, "seeed").endswith(f"{inner}, line 2.")
    assert flag_files.place_of(line, "dry_run").endswith(f"{inner}, line 3.")
    assert flag_files.place_of(line, "rounds").endswith(f"{outer}, line 2.")
    assert flag_files.place_of(line, "seed") == ""
