"""What a random public sentence has of an attacked one."""

import numpy as np

from attacks.knowledge import PublicExamples
from experiments.modalities.text import chance, measuring, token_data
from tests.experiments.modalities.text import made_up

LANGUAGE = made_up.model("bert_tiny_random", 20, num_classes=2)


def data():
    return token_data.of_sentences(made_up.sentences(), LANGUAGE)


def test_the_most_of_any_public_sentence_and_of_those_of_the_class():
    made, others = data(), list(range(1, 12))
    public = PublicExamples(made.examples[others], made.labels[others])
    found = chance.control(made, 0, public)
    assert found["measures"] == {}
    assert (found["public"]["tries"], found["public_of_class"]["tries"]) == (11, 5)

    def measured(row):
        return measuring.alone(
            made.vocabulary,
            *([int(one) for one in made.examples[at] if one >= 0] for at in (row, 0)),
        )

    for pool, name in ((others, "public"), (others[1::2], "public_of_class")):
        for key, most in found[name]["measures"].items():
            assert most == max(measured(row)[key] for row in pool)
    # One that is public itself is reached by a draw.
    itself = PublicExamples(made.examples[:3], made.labels[:3])
    assert chance.control(made, 0, itself)["public"]["measures"]["rouge1"] == 1.0
    assert chance.control(made, 0, None) == {}


def test_of_many_it_draws_by_the_seed():
    made = data()
    rows = np.random.default_rng(0).integers(0, 12, 300)
    public = PublicExamples(made.examples[rows], made.labels[rows])
    assert chance.control(made, 0, public)["public"]["tries"] == chance.TRIES
    first, second = (chance.control(made, 1, public, seed) for seed in (3, 3))
    assert first == second
