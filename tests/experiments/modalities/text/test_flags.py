"""What flags of language models must be together: one sentence for each misfit."""

import pytest

from experiments import analysis
from experiments.analysis.options import Options
from experiments.modalities import catalog
from experiments.study import rules
from experiments.study.flag_table import SettingsError
from tests.experiments.command import parse, read

MINILM = ("--dataset=vader_movies", "--model=minilm", "--attacks=dager")
NOBODY = "--attack_public_images=0"


def wrong(*flags):
    """The lines of the refusal."""
    with pytest.raises(SettingsError) as raised:
        rules.check(parse(*flags))
    return str(raised.value).splitlines()[1:]


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("A good film.\nA bad one.\n")
    return f"--text_file={path}"


def test_what_fits_is_of_the_modality(lines):
    for flags in (
        MINILM,
        (lines, "--model=smollm2", "--attacks=dager,bag_of_words,strongest"),
        (lines, "--model=gpt2_tiny_random", "--text_task=classes", "--attacks=dager"),
    ):
        settings = parse(*flags)
        rules.check(settings)
        assert catalog.of(settings).leaks.modality == "text"
    assert catalog.of(parse()).leaks.modality == "pictures"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ["--dataset=cola"],
            "sentences, which `--model=lenet` does not take. Take one",
        ),
        (
            ["--model=minilm", "--attacks=dager"],
            "takes sentences: give `--text_file`, or",
        ),
        (
            [*MINILM, "--attacks=idlg"],
            "`--attacks=idlg` is for models of other examples",
        ),
        (
            ["--attacks=dager"],
            "`--model=lenet` takes pictures or numbers. Take any of: d",
        ),
        (["--max_tokens=8"], "`--max_tokens` is for language models, and would do not"),
        (["--text_task=classes"], "`--text_task` is for language models"),
        (["--lora_rank=4"], "`--lora_rank` is for language models"),
        (
            ["--model=tests.experiments.own_models:binary", "--lora_rank=4"],
            "`--lora_rank` is for language models",
        ),
        ([*MINILM, "--lora_rank=-1"], "`--lora_rank` must be"),
        ([*MINILM, "--text_task=next_token"], "does not learn that here"),
        ([*MINILM, "--data_range=0,1"], "`--data_range` is for models of pictures"),
        ([*MINILM, "--loss=mse"], "`--loss` is for models of pictures"),
        ([*MINILM, "--notraining_mode"], "`--training_mode` is for models of pictures"),
        ([*MINILM, "--noallow_download"], "`--allow_download` is for models of"),
        ([*MINILM, "--max_tokens=3"], "`--max_tokens` must be"),
        (
            [*MINILM[:2], "--attacks=strongest", "--attack_rounds=2", NOBODY],
            "`--attack_rounds=2` moves the weights between rounds by a step on other",
        ),
        (
            [*MINILM, "--text_file=/nowhere.txt"],
            "one sentence a line, but '/nowhere.txt'",
        ),
    ],
)
def test_a_misfit_is_refused(flags, told):
    assert any(told in line for line in wrong(*flags))


def test_one_misfit_is_one_line(lines):
    (line,) = wrong(lines)
    assert "`--text_file` is of sentences, which `--model=lenet`" in line
    (line,) = wrong(*MINILM, lines)
    assert line.strip().startswith("`--dataset` must not be given with `--text_file`")


def test_an_attack_on_batches_of_the_same_modality_is_advised(lines):
    flags = (lines, "--model=bert_tiny_random", "--attack_batch_size=2")
    (line,) = wrong(*flags, "--attacks=pooled_words", "--aggregate_clients=0")
    assert "is for one example" in line and line.endswith("Use `--attacks=dlg_text`.")
    rules.check(parse(*flags, "--attacks=dlg_text", "--aggregate_clients=0"))


def test_no_attack_that_takes_no_sentences_is_advised():
    (line,) = wrong(*MINILM, "--attack_local_epochs=2")
    assert line.endswith("`--attack_local_epochs` and `--attack_local_batch_size`.")
    (line,) = wrong("--attacks=idlg,r_gap", "--attack_local_epochs=2")
    assert line.endswith("or use `--attacks=dlg`.")


def test_weights_are_a_folder_where_there_is_one(tmp_path):
    (line,) = wrong(*MINILM, f"--weights={tmp_path}")
    assert "for bert_base_en_uncased and gpt2_base_en; 'minilm' has its own" in line
    (line,) = wrong(f"--weights={tmp_path}")
    assert "must be a file with `--model=lenet`, got a folder" in line
    file = tmp_path / "some.weights.h5"
    file.write_bytes(b"")
    base = ("--dataset=vader_movies", "--model=gpt2_base_en", "--attacks=dager")
    (line,) = wrong(*base, f"--weights={file}")
    assert "must be a folder with `--model=gpt2_base_en`" in line
    rules.check(parse(*base, f"--weights={tmp_path}"))


@pytest.mark.parametrize("flags", [MINILM[:2], MINILM[:1], MINILM[1:2]])
def test_an_analysis_is_of_numbers(flags):
    with pytest.raises(SettingsError, match="language models are trained and attacked"):
        analysis.options.check(read(Options, *flags))
