"""The rules of a run's flags: checked before any work, all at once, by their names."""

import pytest
from absl import flags as absl_flags

from experiments.study import rules
from experiments.study.flag_table import SettingsError
from tests.experiments.command import parse


def problems(*arguments: str) -> list[str]:
    try:
        rules.check(parse(*arguments))
    except SettingsError as error:
        return str(error).splitlines()[1:]
    return []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--attacks=idlg,completion,retrieval,cohort",),
        ("--attacks=multi_round", "--attack_rounds=2"),
        ("--attacks=dlg", "--attack_local_epochs=3"),
        ("--mask_policy=layer_list", "--mask_layers=a", "--encryption_ratios=1"),
        ("--mask_policy=heads", "--head_size=1"),
        ("--split=dirichlet", "--dirichlet_alpha=1"),
        ("--attacks=cohort", "--cohort_clients=3"),
        ("--attacks=strongest", "--attack_rounds=3"),
        ("--attack_local_epochs=2", "--attack_local_learning_rate=1", "--attacks=dlg"),
        ("--model=tests.experiments.own_models:anything", "--data=os.path:join"),
        ("--significance=random", "--mask_agreement=union"),
        ("--rounds=0", "--num_clients=1"),
        ("--keys=per_client", "--cipher=device_rlwe"),
        (
            "--keys=per_client",
            "--cipher=device_rlwe",
            "--significance=product",
            "--mask_agreement=union",
        ),
    ],
)
def test_what_can_be_used(arguments):
    assert problems(*arguments) == []


@pytest.mark.parametrize(
    ("argument", "flag", "advice"),
    [
        ("--model=resnet", "--model", "lenet, small_cnn"),
        ("--dataset=imagenet", "--dataset", "mnist, mnist-5k"),
        ("--significance=fisher", "--significance", "magnitude, random"),
        ("--significance=", "--significance", "at least one"),
        ("--significance=random,random", "--significance", "twice"),
        ("--attacks=gan", "--attacks", "dlg, idlg"),
        ("--attacks=", "--attacks", "at least one"),
        ("--attackers=mask_aware,psychic", "--attackers", "naive, mask_aware"),
        ("--encryption_ratios=0.5,1.2", "--encryption_ratios", "[0, 1]"),
        ("--encryption_ratios=nan", "--encryption_ratios", "[0, 1]"),
        ("--encryption_ratios=-0.1", "--encryption_ratios", "[0, 1]"),
        ("--encryption_ratios=", "--encryption_ratios", "at least one"),
        ("--encryption_ratios=0.1,0.10", "--encryption_ratios", "twice"),
        ("--codec_bits=3", "--codec_bits", "from 4 to 32"),
        ("--codec_rounding=up", "--codec_rounding", "nearest, stochastic"),
        ("--scales=guess", "--scales", "public_bound, previous_aggregate"),
        ("--cipher=rot13", "--cipher", "tf_shell_bgv"),
        ("--keys=none", "--keys", "shared, per_client"),
        ("--mask_policy=all", "--mask_policy", "top_fraction, per_layer"),
        ("--mask_agreement=vote", "--mask_agreement", "auto, public_seed"),
        ("--mask_history=long", "--mask_history", "none, ema, first"),
        ("--always_hide=tail", "--always_hide", "head, biases"),
        ("--always_hide=head,head", "--always_hide", "twice"),
        ("--key_rotation=never", "--key_rotation", "run, round"),
        ("--damaged_messages=keep", "--damaged_messages", "drop, fail"),
        ("--codec_bound=0", "--codec_bound", "from 1e-20"),
        ("--codec_bound=1e-320", "--codec_bound", "to 1e+20"),
        ("--codec_bound=inf", "--codec_bound", "to 1e+20"),
        ("--seed=-1", "--seed", "from 0"),
        ("--seed=4294967296", "--seed", "to 2147483647"),
        ("--rounds=99999999999999999999", "--rounds", "at most 2147483647"),
        ("--model=lenett", "--model", "package.module:function"),
        ("--model=my.models:", "--model", "package.module:function"),
        ("--weights=README.md", "--weights", ".weights.h5"),
        ("--weights=nothing.npz", "--weights", "that is there"),
        ("--data=nothing.csv", "--data", "that is there"),
        ("--label_column=sick", "--label_column", "--data"),
        ("--loss=mse", "--loss", "a model of your own"),
        ("--notraining_mode", "--training_mode", "a model of your own"),
        ("--data_range=0,255", "--data_range", "in [0, 1]"),
        ("--data_range=1,0", "--data_range", "the lower first"),
        ("--split=clients", "--split", "--data"),
        ("--client_optimizer=lion", "--client_optimizer", "adam"),
        ("--head_size=4", "--head_size", "do nothing"),
        ("--dirichlet_alpha=1", "--dirichlet_alpha", "do nothing"),
        ("--cohort_clients=3", "--cohort_clients", "do nothing"),
        ("--attack_rounds=3", "--attack_rounds", "do nothing"),
        (
            "--attack_local_learning_rate=1",
            "--attack_local_learning_rate",
            "do nothing",
        ),
        ("--model=no_such.models:f", "--model", "no 'no_such'"),
        ("--model=tests.no_such:f", "--model", "no 'tests.no_such'"),
        ("--data=no_such:f", "--data", "no 'no_such'"),
        ("--data_dir=nowhere", "--data_dir", "that is there"),
        ("--logdir=", "--logdir", "got nothing"),
        ("--logdir=~nobody_here/x", "--logdir", "a user who is not there"),
        ("--weights=~nobody_here/x", "--weights", "a user who is not there"),
        ("--data=~nobody_here/x.npz", "--data", "a user who is not there"),
        ("--data_dir=~nobody_here", "--data_dir", "a user who is not there"),
        (f"--logdir={'x' * 300}", "--logdir", "too long"),
        (f"--weights={'x' * 300}", "--weights", "too long"),
        (f"--text_file={'x' * 300}", "--text_file", "too long"),
        ("--weights=nowhere", "--weights", "the folder of a language model"),
        ("--attack_seconds=inf", "--attack_seconds", "finite"),
        ("--mask_layers=dense", "--mask_layers", "do nothing"),
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
    (line,) = problems("--attacks=dlg", argument)
    assert flag in line
    assert advice in line


@pytest.mark.parametrize(
    "module", ["whole.part", "bare.part", "bare.deep.part", "whole.bare.deep.part"]
)
def test_a_module_is_found_where_python_finds_it(module, tmp_path, monkeypatch):
    """Folders without an `__init__.py`, too."""
    path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True)
    path.touch()
    if module.startswith("whole"):
        (tmp_path / "whole" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert problems(f"--model={module}:f") == []
    (line,) = problems(f"--model={module}s:f")
    assert f"no '{module}s'" in line


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (("--attacks=idlg", "--attack_batch_size=2"), "--attacks=dlg"),
        (
            (
                "--model=bert_tiny_random",
                "--dataset=vader_movies",
                "--attacks=dager",
                "--significance=leverage",
            ),
            "takes sentences",
        ),
        (("--attacks=completion", "--attackers=naive"), "--attackers=mask_aware"),
        (("--attacks=retrieval", "--attack_public_images=0"), "Set it to 500"),
        (("--attacks=multi_round",), "--attack_rounds"),
        (("--attacks=cohort", "--cohort_clients=1"), "--cohort_clients"),
        (
            ("--attacks=inverting_gradients", "--attack_local_epochs=2"),
            "--attack_local_epochs",
        ),
        (
            ("--significance=magnitude", "--mask_agreement=public_seed"),
            "looks at gradient",
        ),
        (("--mask_policy=layer_list", "--encryption_ratios=0.1"), "--mask_layers"),
        (
            ("--mask_policy=layer_list", "--mask_layers=conv"),
            "as a single number",
        ),
        (("--mask_policy=heads",), "--head_size"),
        (("--rounds=0", "--num_images=0", "--aggregate_clients=0"), "--rounds"),
        (
            ("--keys=per_client",),
            "without a shared key, --cipher=device_rlwe, got `--cipher=tf_shell_bgv`",
        ),
        (
            ("--keys=per_client", "--cipher=identity_INSECURE"),
            "got `--cipher=identity_INSECURE`",
        ),
        (
            ("--keys=per_client", "--cipher=device_rlwe", "--key_rotation=round"),
            "would do nothing",
        ),
        (
            (
                "--keys=per_client",
                "--cipher=device_rlwe",
                "--significance=product",
            ),
            "Take `--mask_agreement=interleaved_lists`",
        ),
    ],
)
def test_what_does_not_go_together(flags, advice):
    (line,) = problems(*flags)
    assert advice in line


def test_all_problems_are_reported_at_once():
    lines = problems(
        "--model=x",
        "--encryption_ratios=2,nan",
        "--codec_bits=99",
        "--min_clients=11",
        "--num_clients=10",
        "--mask_policy=heads",
        "--attacks=nothing,multi_round",
        "--significance=other,magnitude",
        "--mask_agreement=public_weights",
    )
    assert [line.split("`")[1] for line in lines] == [
        "--model",
        "--significance",
        "--encryption_ratios",
        "--encryption_ratios",
        "--codec_bits",
        "--attacks",
        "--num_clients",
        "--aggregate_clients",
        "--mask_agreement=public_weights",
        "--head_size",
        "--attacks=multi_round",
    ]


def test_a_ratio_that_is_no_number_is_refused():
    with pytest.raises(absl_flags.Error, match=r"--encryption_ratios.*'half'"):
        parse("--encryption_ratios=0,half")
