import pytest

from experiments.outputs.report import families, reading
from tests.experiments.outputs.report import folders


def run(path, seed=0, **flags):
    return reading.read(folders.write(path, folders.found(seed), seed, **flags))


def test_runs_that_differ_in_their_seed_are_one_family(tmp_path):
    made = [run(tmp_path / f"s{seed}", seed) for seed in (0, 1, 2)]
    (family,) = families.join(made)
    assert family.seeds == (0, 1, 2)
    assert family.differs == family.name == ""
    assert family.notes == ()
    assert len(family.records) == sum(len(one.records) for one in made)


def test_any_other_flag_makes_another_family_and_is_named(tmp_path):
    made = [run(tmp_path / "a"), run(tmp_path / "b", 1, attack_iterations=500)]
    found = families.join(made)
    assert [one.differs for one in found] == [
        "--attack_iterations=20",
        "--attack_iterations=500",
    ]
    assert [one.seeds for one in found] == [(0,), (1,)]
    assert [one.name for one in found] == ["a", "b"]


def test_numbers_of_somebodys_data_are_told_apart_and_not_shown(tmp_path):
    def with_range(name, largest):
        one = run(tmp_path / name)
        facts = {**one.config["facts"], "value_range": [[0.25], [largest]]}
        return one._replace(config={**one.config, "facts": facts})

    found = families.join([with_range("a", 77.125), with_range("b", 99.375)])
    told = [one.differs for one in found]
    assert len(set(told)) == 2
    for text in told:
        assert text.startswith("value_range=numbers with hash ")
        assert not any(part in text for part in ("77", "99", "0.25"))


def test_the_same_work_is_not_counted_twice(tmp_path):
    made = [run(tmp_path / "a"), run(tmp_path / "copy")]
    with pytest.raises(ValueError, match=r"a and .*copy have the same flags"):
        families.join(made)


def test_without_a_configuration_a_run_is_like_no_other(tmp_path):
    made = [run(tmp_path / "a"), run(tmp_path / "b", 1)]
    (tmp_path / "b" / "config.json").unlink()
    found = families.join([made[0], reading.read(tmp_path / "b")])
    assert len(found) == 2
    assert "folder=b" in found[1].differs


def test_seeds_with_different_work_and_versions_are_said(tmp_path):
    whole = run(tmp_path / "a")
    part = reading.read(folders.write(tmp_path / "b", folders.found(1)[:7], 1))
    session = {**whole.config["sessions"][0], "git": {"commit": "f" * 40}}
    other = whole._replace(config={**whole.config, "sessions": [session]})
    (family,) = families.join([other, part])
    versions, counts = family.notes
    assert "commit ffffffffff; selenc-tf 0.1.0, commit 0123456789" in versions
    assert "a 26, b 7" in counts


def test_what_was_not_encrypted_is_said(tmp_path):
    (family,) = families.join([run(tmp_path / "a", cipher="identity_INSECURE")])
    assert (
        "nothing was really encrypted (--cipher=identity_INSECURE)" in family.notes[0]
    )
