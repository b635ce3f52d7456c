"""What a run did not try is said where it is of matter, and only there."""

from experiments.outputs import files, records
from experiments.outputs.report import limits
from experiments.outputs.report.limits import Limit
from tests.experiments.outputs.example_records import attack, cell

CUT, LEFT = Limit("Searches were cut.", ("dlg", "idlg")), Limit("Not tried: cohort.")


def member(name, status):
    return records.MemberRecord(name, status, "for a reason", {}, None, None, 1.0)


def strongest(ratio, *members):
    return attack(0, attack="strongest", cell=cell(ratio), members=members)


def test_searches_that_never_ran_were_not_cut(tmp_path):
    limits.save(tmp_path, [CUT, LEFT])
    exact = strongest(0.1, member("dlg", "not_run"), member("idlg", "does_not_apply"))
    # Of everything hidden there is nothing to search with.
    whole = strongest(1.0, member("dlg", "ok"))
    assert limits.load(tmp_path, [exact, whole]) == [LEFT.said]
    ran = strongest(0.1, member("dlg", "not_run"), member("idlg", "failed"))
    assert limits.load(tmp_path, [exact, ran]) == [CUT.said, LEFT.said]
    assert limits.load(tmp_path, [attack(0, attack="dlg")]) == [CUT.said, LEFT.said]


def test_sentences_of_older_versions_are_read(tmp_path):
    content = files.to_json(["Searches were cut."])
    (tmp_path / limits.FILE_NAME).write_text(content)
    assert limits.load(tmp_path, []) == ["Searches were cut."]
    assert limits.load(tmp_path / "other", []) == []
