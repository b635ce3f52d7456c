"""Flags are checked together, before any work, and the errors name them."""

import dataclasses

import pytest
from absl import flags as absl_flags

from experiments.study import flags, settings
from tests.experiments.command import parse

CHOICES = settings.Choices(
    models=("lenet", "small_cnn"),
    datasets=("mnist", "cifar100"),
    metrics=("magnitude", "random"),
    methods=("dlg", "idlg"),
    attackers=("naive", "mask_aware"),
    scales=("public_bound", "clipping_norm"),
    ciphers=("tf_shell_bgv",),
    mask_policies=("top_fraction", "rows"),
    mask_agreements=("auto", "score_sum"),
    always_hidden=("head", "biases"),
)


def problems(*arguments: str) -> list[str]:
    try:
        settings.check(parse(*arguments), CHOICES)
    except settings.SettingsError as error:
        return str(error).splitlines()[1:]
    return []


def test_the_defaults_can_be_used():
    assert problems() == []


@pytest.mark.parametrize(
    ("argument", "flag", "advice"),
    [
        ("--model=resnet", "--model", "lenet, small_cnn"),
        ("--dataset=imagenet", "--dataset", "mnist, cifar100"),
        ("--significance=fisher", "--significance", "magnitude, random"),
        ("--significance=", "--significance", "at least one"),
        ("--significance=random,random", "--significance", "twice"),
        ("--attacks=gan", "--attacks", "dlg, idlg"),
        ("--attackers=psychic", "--attackers", "naive, mask_aware"),
        ("--encryption_ratios=0.5,1.2", "--encryption_ratios", "[0, 1]"),
        ("--encryption_ratios=nan", "--encryption_ratios", "[0, 1]"),
        ("--encryption_ratios=-0.1", "--encryption_ratios", "[0, 1]"),
        ("--encryption_ratios=", "--encryption_ratios", "at least one"),
        ("--encryption_ratios=0.1,0.10", "--encryption_ratios", "twice"),
        ("--codec_bits=3", "--codec_bits", "one of"),
        ("--codec_rounding=up", "--codec_rounding", "nearest, stochastic"),
        ("--scales=guess", "--scales", "public_bound, clipping_norm"),
        ("--cipher=rot13", "--cipher", "tf_shell_bgv"),
        ("--mask_policy=all", "--mask_policy", "top_fraction, rows"),
        ("--mask_agreement=vote", "--mask_agreement", "auto, score_sum"),
        ("--mask_history=long", "--mask_history", "none, ema, first"),
        ("--always_hide=tail", "--always_hide", "head, biases"),
        ("--always_hide=head,head", "--always_hide", "twice"),
        ("--key_rotation=never", "--key_rotation", "run, round"),
        ("--damaged_messages=keep", "--damaged_messages", "drop, fail"),
        ("--codec_bound=0", "--codec_bound", "positive"),
        ("--codec_bound=inf", "--codec_bound", "finite"),
        ("--seed=-1", "--seed", "at least 0"),
        ("--num_clients=1", "--num_clients", "--min_clients"),
        ("--min_clients=1", "--min_clients", "at least 2"),
        ("--client_examples=0", "--client_examples", "at least 1"),
        ("--client_learning_rate=0", "--client_learning_rate", "positive"),
        ("--aggregate_clients=1", "--aggregate_clients", "--min_clients"),
        ("--cohort_clients=-1", "--cohort_clients", "at least 0"),
        ("--attack_public_images=-1", "--attack_public_images", "at least 0"),
        ("--attack_rounds=0", "--attack_rounds", "at least 1"),
        ("--attack_local_epochs=0", "--attack_local_epochs", "at least 1"),
        ("--attack_local_learning_rate=0", "--attack_local_learning_rate", "positive"),
        ("--attack_iterations=0", "--attack_iterations", "at least 1"),
        ("--attack_seconds=-1", "--attack_seconds", "at least 0"),
    ],
)
def test_a_bad_flag_is_named_with_what_to_do(argument, flag, advice):
    (line,) = problems(argument)
    assert flag in line
    assert advice in line


def test_nothing_to_do_is_refused():
    (line,) = problems("--rounds=0", "--num_images=0", "--aggregate_clients=0")
    assert "--rounds" in line


def test_all_problems_are_reported_at_once():
    lines = problems("--model=x", "--encryption_ratios=2", "--codec_bits=99")
    assert [line.split("`")[1] for line in lines] == [
        "--model",
        "--encryption_ratios",
        "--codec_bits",
    ]


def test_a_large_minimum_is_reported_for_every_cohort():
    lines = problems("--min_clients=11", "--num_clients=10", "--aggregate_clients=2")
    assert "--num_clients" in lines[0]
    assert "--aggregate_clients" in lines[1]


def test_a_ratio_that_is_no_number_is_refused():
    with pytest.raises(settings.SettingsError, match=r"--encryption_ratios.*'half'"):
        parse("--encryption_ratios=half")


def test_every_flag_that_is_not_neutral_reaches_the_settings():
    values = absl_flags.FlagValues()
    flags.define(values)
    values(["run"])
    tree = dataclasses.asdict(flags.to_settings(values))
    leaves = sum(
        len(value) if isinstance(value, dict) else 1 for value in tree.values()
    )
    defined = set(flags.as_dict(values)) - set(flags.NEUTRAL)
    assert leaves == len(defined)
