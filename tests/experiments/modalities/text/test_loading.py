"""Sentences and models that flags name, and what is refused."""

import io

import numpy as np
import pytest

from attacks.knowledge import Reconstruction
from experiments.data import dataset as dataset_lib
from experiments.data.text import models, tiny
from experiments.modalities.text import loading, measuring, token_data
from experiments.modalities.text.modality import TEXT
from experiments.study import inputs
from experiments.study.flag_table import SettingsError
from experiments.study.modality import Victims
from tests.experiments import made_up as pictures
from tests.experiments.command import parse
from tests.experiments.modalities.text import made_up

BERT, GPT2 = "--model=bert_tiny_random", "--model=gpt2_tiny_random"


def load(monkeypatch, *flags, labelled=True):
    found = made_up.sentences(labelled)
    monkeypatch.setattr(loading.catalog, "load", lambda *_: found)
    monkeypatch.setattr(loading.models, "load", made_up.model)
    return loading.load(parse("--dataset=vader_movies", *flags))


def test_a_classifier_has_classes(monkeypatch):
    dataset, model, facts = load(monkeypatch, BERT, "--max_tokens=10")
    assert model.kind == "classes" and model.length == 10
    assert dataset.examples.shape == (12, 10) and dataset.examples.dtype == np.int32
    # Start, "dull", end; nothing behind it.
    assert dataset.examples[1, [0, 5, 6]].tolist() == [2, 3, -1]
    assert dataset.labels.tolist() == [0, 1] * 6 and len(set(dataset.groups)) == 12
    assert dataset.note == (
        "Made up. Cut into tokens (60 letters), at most 10 a sentence, special ones "
        "included: 6 sentences were longer and lost their end."
    )
    assert facts["weights_from"].startswith("random") and facts["learns"] == "classes"
    part = dataset_lib.take(dataset, [3, 5])
    assert token_data.checked(part).vocabulary is dataset.vocabulary
    (tokens, labels) = TEXT.batch(model, dataset, [1])
    assert tokens.padding_mask.sum() == 6 and labels.tolist() == [1]
    assert TEXT.told(model, dataset.labels[:2]) == (0, 1)


def test_rounds_without_other_clients_are_refused(monkeypatch):
    monkeypatch.setattr(loading.catalog, "load", lambda *_: made_up.sentences())
    monkeypatch.setattr(loading.models, "load", made_up.model)
    flags = (BERT, "--attacks=strongest", "--attack_rounds=2", "--rounds=0")
    less = ("--aggregate_clients=0", "--num_images=12")
    settings = parse("--dataset=vader_movies", *flags, *less)
    with pytest.raises(
        SettingsError, match=r"beside the 12 that are attacked .* has none"
    ):
        inputs.load(settings, TEXT, io.StringIO())


ALIKE = "".join(f"Account number {number:02}.\tbank\n" for number in range(12))
LINES = f"{ALIKE}Hello.\tother\nBye.\tother\n"


def load_lines(tmp_path, *flags, lines=LINES, task="classes"):
    path = tmp_path / "mine.txt"
    path.write_text(lines)
    less = ("--aggregate_clients=0", "--num_images=2", "--rounds=0")
    flags = (f"--text_file={path}", GPT2, f"--text_task={task}", *less, *flags)
    return inputs.load(parse(*flags), TEXT, io.StringIO())


class TestEqualAfterTheCut:
    @pytest.mark.parametrize("task", ["classes", "next_token"])
    def test_none_of_the_attacked_is_public(self, tmp_path, task):
        found = load_lines(tmp_path, "--max_tokens=12", task=task)
        tokens = found.dataset.examples
        attacked = {tokens[row].tobytes() for row in found.attacked_rows}
        assert attacked.isdisjoint(tokens[row].tobytes() for row in found.public_rows)
        out = 14 - 2 - len(found.public_rows)
        assert out >= 10 and found.dataset.note.endswith(
            f"So cut, 11 of the sentences repeat another. {out} public examples left out: "
            "equal to an attacked one."
        )
        whole = load_lines(tmp_path, "--max_tokens=20", task=task)
        assert len(whole.public_rows) == 12 and "repeat" not in whole.dataset.note
        assert "left out" not in whole.dataset.note

    def test_it_is_refused_if_no_other_is_left(self, tmp_path):
        alike = ALIKE.replace("\tbank", "")
        with pytest.raises(
            SettingsError, match=r"the 10 of mine beside the 2 attacked"
        ):
            load_lines(tmp_path, "--max_tokens=12", lines=alike, task="next_token")
        none = ("--max_tokens=12", "--attack_public_images=0")
        assert not load_lines(
            tmp_path, *none, lines=alike, task="next_token"
        ).public_rows

    def test_they_are_one_group(self, tmp_path):
        groups = load_lines(tmp_path, "--max_tokens=12").dataset.groups
        assert groups.tolist() == [0] * 12 + [1, 2]

    @pytest.mark.slow
    def test_none_that_was_trained_on_is_attacked(self, tmp_path):
        found = load_lines(
            tmp_path,
            "--max_tokens=12",
            "--weights_after_rounds=1",
            "--num_clients=2",
            "--min_clients=2",
            "--client_examples=3",
            "--num_images=1",
            "--attack_public_images=0",
            "--attacks=dager",
            lines=LINES + "Of its own.\tother\n" * 3,
            task="next_token",
        )
        tokens = found.dataset.examples
        trained = [tokens[row] for one in found.training.clients for row in one.rows]
        for row in found.attacked_rows:
            assert not any(np.array_equal(tokens[row], one) for one in trained)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        (name, classes)
        for name, one in models.MODELS.items()
        for classes in (None, 2)
        if "tiny" in name and (classes or one.predicts)
    ],
)
def test_what_the_vocabulary_cannot_write_is_told_and_not_found(name, classes):
    language = made_up.model(name, 20, num_classes=classes)
    # "|", "<" and ">" are no letters of the alphabet.
    made = token_data.of_sentences(made_up.sentences(), language)
    unknown = language.vocabulary.special.unknown
    count = int((made.examples == unknown).sum())
    assert count >= 1 and f" {count} of the tokens are the unknown one" in made.note
    row = int(np.flatnonzero((made.examples == unknown).any(axis=1))[0])
    found = Reconstruction(
        examples=made.examples[[row]],
        labels=made.labels[[row]],
        label_source="known",
        objective=0.0,
        start_objectives=(0.0,),
        iterations=1,
        evaluations=1,
        seconds=0.0,
        converged=False,
        stop="inconsistent",
        matched_entries=0,
    )
    (one,) = measuring.measure(Victims(made, (row,), language.model, ()), found)
    lost = int((made.examples[row] == unknown).sum())
    own = sum(int(token) > 3 for token in made.examples[row])
    assert one.measures["bag_recall"] == pytest.approx(own / (own + lost))
    assert not one.measures["exact"]


@pytest.mark.slow
def test_adapters_are_all_that_is_trained(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("Good.\tgood\nBad.\tbad\n")
    flags = (f"--text_file={path}", BERT, "--max_tokens=10")
    _, whole, _ = loading.load(parse(*flags))
    _, model, facts = loading.load(parse(*flags, "--lora_rank=2"))
    assert model.spec.size < whole.spec.size / 4
    assert "adapters of rank 2" in facts["weights_from"]
    with pytest.raises(SettingsError, match=r"`--lora_rank=99` and these .*\[1, 16\]"):
        loading.load(parse(*flags, "--lora_rank=99"))


def test_the_next_token_is_its_own_label(monkeypatch):
    dataset, model, _ = load(monkeypatch, GPT2, "--max_tokens=10")
    assert model.kind == "next_token" and dataset.labels.shape == (12, 0)
    (_, labels) = TEXT.batch(model, dataset, [1])
    assert labels[0, :5].tolist() == [*dataset.examples[1, 1:6]] and labels[0, 5] == -1
    with pytest.raises(ValueError, match="labels are the sentences themselves"):
        TEXT.told(model, dataset.labels[:1])


def test_models_without_classes_need_none(monkeypatch):
    dataset, _, _ = load(monkeypatch, GPT2, "--max_tokens=10", labelled=False)
    assert dataset.labels.shape == (12, 0)
    with pytest.raises(
        SettingsError, match=r"sentences of made-up have none\. Write a"
    ):
        load(monkeypatch, BERT, labelled=False)
    with pytest.raises(SettingsError, match="learns classes"):
        load(monkeypatch, GPT2, "--text_task=classes", labelled=False)


def test_own_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(loading.models, "load", made_up.model)
    path = tmp_path / "mine.txt"
    path.write_text("Good.\tgood\nBad.\tbad\n")
    flags = (f"--text_file={path}", BERT, "--max_tokens=10")
    dataset, model, facts = loading.load(parse(*flags))
    assert dataset.name == "mine" and model.num_classes == 2
    path.write_text("Good.\tgood\nWorse.\tbad\n")
    assert loading.load(parse(*flags)).facts["data_sha256"] != facts["data_sha256"]
    path.write_text("\n\n")
    with pytest.raises(ValueError, match="must have at least one sentence"):
        loading.load(parse(*flags))


def test_what_does_not_fit_is_refused(monkeypatch):
    with pytest.raises(SettingsError, match=r"`--max_tokens=33` .* in \[2, 32\]"):
        load(monkeypatch, BERT, "--max_tokens=33")
    other = tiny.letters(tiny.SpecialTokens(2, 3, 0, 1))._replace(size=61)
    monkeypatch.setattr(tiny, "letters", lambda special: other)
    with pytest.raises(SettingsError, match="every token would be another word"):
        load(monkeypatch, BERT, "--max_tokens=9")
    with pytest.raises(TypeError, match="must be of sentences"):
        token_data.checked(pictures.pictures((4, 4, 1), 12))


def test_a_batch_is_measured_in_any_order(monkeypatch):
    dataset, model, _ = load(monkeypatch, BERT, "--max_tokens=10")
    found = dataset.examples[[5, 3]].copy()
    found[1, 4:] = -1
    victims = Victims(dataset, (3, 5), model, ())
    made = Reconstruction(
        examples=found,
        labels=np.array([1, 0]),
        label_source="enumerated",
        objective=0.0,
        start_objectives=(0.0,),
        iterations=1,
        evaluations=1,
        seconds=0.0,
        converged=False,
        stop="inconsistent",
        matched_entries=0,
    )
    begun, whole = measuring.measure(victims, made)
    assert whole.measures["exact"] and whole.measures["rouge1"] == 1.0
    assert (whole.recovered_label, whole.label_correct) == (1, True)
    assert (begun.recovered_label, begun.label_correct) == (0, False)
    # Three letters of "fine act", and no word.
    assert begun.measures["token_accuracy"] == pytest.approx(3 / 8)
    assert begun.measures["rouge1"] == 0.0 and not begun.measures["exact"]
    assert begun.details["with_special"]["token_accuracy"] == pytest.approx(4 / 10)
    members = measuring.measure_member(victims, made)
    assert members[1] == whole.measures
