"""The command line. Flags exist here and nowhere else."""

from typing import Any

from absl import flags

from experiments.study import settings

NEUTRAL = ("logdir", "run_name", "data_dir", "allow_download", "flagfile")
"""Flags that do not change results: where to read and write."""


def define(values: flags.FlagValues) -> None:
    """Defines the flags of `experiments.run`.

    Args:
      values: Where to define them: `flags.FLAGS`, or a holder of a test.
    """

    def string(name: str, default: str, text: str) -> None:
        flags.DEFINE_string(name, default, text, flag_values=values)

    def integer(name: str, default: int, text: str) -> None:
        flags.DEFINE_integer(name, default, text, flag_values=values)

    def number(name: str, default: float, text: str) -> None:
        flags.DEFINE_float(name, default, text, flag_values=values)

    def names(name: str, default: list[str], text: str) -> None:
        flags.DEFINE_list(name, default, text, flag_values=values)

    string("logdir", "runs", "Folder of all runs.")
    string("run_name", "quickstart", "Name of this run's folder in --logdir.")
    string("dataset", "mnist", "Pictures: mnist, cifar100, photo_patches, ...")
    string("data_dir", "", "Folder with the original files of the data set, if any.")
    flags.DEFINE_bool(
        "allow_download",
        True,
        "Whether the standard loader may ask the internet for the whole data set.",
        flag_values=values,
    )
    string("model", "lenet", "Architecture: lenet, small_cnn, mlp, convnet16, ...")
    integer("seed", 0, "Seed of weights, data, masks and attacks.")

    names("significance", ["magnitude", "random"], "Metrics that choose what to hide.")
    names("encryption_ratios", ["0", "0.01", "0.1", "0.5", "1"], "Shares to encrypt.")
    integer("codec_bits", 28, "Bits of an encrypted value.")
    number(
        "codec_bound", 4.0, "Largest magnitude of an entry that is encoded as it is."
    )

    string("codec_rounding", "nearest", "How to round: nearest or stochastic.")
    string(
        "scales",
        "public_bound",
        "Where the codec's bounds come from: public_bound (--codec_bound), "
        "previous_aggregate (of each tensor) or clipping_norm (--codec_bound is the "
        "norm to which clients clip).",
    )
    string(
        "cipher", "tf_shell_bgv", "tf_shell_bgv, or identity_INSECURE for comparison."
    )
    string("key_rotation", "run", "A new key for every: run or round (of training).")
    string(
        "damaged_messages",
        "drop",
        "An upload that the server refuses: drop leaves its client out of the round, "
        "fail ends the run.",
    )

    string(
        "mask_policy",
        "top_fraction",
        "How scores become a mask: top_fraction, per_layer, rows, columns, tensors, "
        "heads, layer_list, block_aligned.",
    )
    integer("head_size", 0, "Columns of an attention head, for --mask_policy=heads.")
    string(
        "mask_agreement",
        "auto",
        "How a cohort agrees on a mask: public_seed, public_weights, "
        "previous_aggregate, score_sum (encrypted), interleaved_lists, union; auto "
        "takes the first that a metric allows.",
    )
    names(
        "mask_layers",
        [],
        "Regular expressions of the tensors that --mask_policy=layer_list hides.",
    )
    names(
        "always_hide",
        [],
        "Hidden whatever the scores: head, biases, embeddings, normalisation.",
    )
    string(
        "mask_history",
        "none",
        "What masks remember: none, ema (a moving average of the scores), first (the "
        "first mask is kept).",
    )

    integer("rounds", 4, "Rounds of federated training for each ratio and metric.")
    integer("num_clients", 5, "Clients of a training round.")
    integer("min_clients", 2, "Smallest cohort whose sum clients decrypt.")
    integer("client_examples", 100, "Examples of a client.")
    integer("client_batch_size", 20, "Batch size of a client's local steps.")
    integer("local_epochs", 5, "Local passes over a client's data in a round.")
    number("client_learning_rate", 0.01, "Learning rate of the clients' Adam.")
    integer("test_examples", 1000, "Examples on which the accuracy is measured.")

    names(
        "attacks",
        ["idlg"],
        "Methods: dlg, idlg, inverting_gradients, ... (docs/attacks.md), or strongest.",
    )
    names(
        "attackers", ["naive", "mask_aware"], "What attackers make of hidden entries."
    )
    integer("num_images", 3, "Attacked messages: one client and one batch each.")
    integer("attack_batch_size", 1, "Pictures behind an attacked gradient.")
    flags.DEFINE_bool(
        "labels_known",
        False,
        "Whether labels are declared as the attacker's knowledge.",
        flag_values=values,
    )
    integer("attack_restarts", 2, "Starts of an attack.")
    integer(
        "attack_iterations", 500, "Iterations of an attack in all, in its own unit."
    )
    number("attack_seconds", 0.0, "Wall-clock limit of an attack; 0 for none.")
    integer("aggregate_clients", 2, "Clients of an attacked aggregate; 0 for none.")
    integer("cohort_clients", 2, "Clients that --attacks=cohort attacks together.")
    integer(
        "attack_public_images",
        500,
        "Pictures of the data set that attackers have, other than the attacked ones.",
    )
    integer("attack_rounds", 1, "Rounds in which a client sends the same pictures.")
    integer("attack_local_epochs", 1, "Local passes behind an attacked message.")
    integer("attack_local_batch_size", 0, "Pictures of a local step; 0 for all.")
    number("attack_local_learning_rate", 0.01, "Of the local steps.")


def to_settings(values: flags.FlagValues) -> settings.Settings:
    """Reads the flags.

    Args:
      values: Parsed flags.

    Returns:
      The settings, not yet checked.

    Raises:
      SettingsError: If a ratio is not a number.
    """
    return settings.Settings(
        model=values.model,
        dataset=values.dataset,
        seed=values.seed,
        encryption=settings.EncryptionSettings(
            metrics=tuple(values.significance),
            ratios=tuple(_ratio(text) for text in values.encryption_ratios),
            codec_bits=values.codec_bits,
            codec_bound=values.codec_bound,
            codec_rounding=values.codec_rounding,
            scales=values.scales,
            cipher=values.cipher,
            key_rotation=values.key_rotation,
            damaged=values.damaged_messages,
            mask_policy=values.mask_policy,
            mask_agreement=values.mask_agreement,
            mask_layers=tuple(values.mask_layers),
            always_hide=tuple(values.always_hide),
            mask_history=values.mask_history,
            head_size=values.head_size,
        ),
        training=settings.TrainingSettings(
            rounds=values.rounds,
            num_clients=values.num_clients,
            min_clients=values.min_clients,
            examples=values.client_examples,
            batch_size=values.client_batch_size,
            local_epochs=values.local_epochs,
            learning_rate=values.client_learning_rate,
            test_examples=values.test_examples,
        ),
        attack=settings.AttackSettings(
            methods=tuple(values.attacks),
            attackers=tuple(values.attackers),
            num_images=values.num_images,
            batch_size=values.attack_batch_size,
            labels_known=values.labels_known,
            restarts=values.attack_restarts,
            max_iterations=values.attack_iterations,
            max_seconds=values.attack_seconds,
            aggregate_clients=values.aggregate_clients,
            cohort_clients=values.cohort_clients,
            public_images=values.attack_public_images,
            rounds=values.attack_rounds,
            local_epochs=values.attack_local_epochs,
            local_batch_size=values.attack_local_batch_size,
            local_learning_rate=values.attack_local_learning_rate,
        ),
    )


def as_dict(values: flags.FlagValues) -> dict[str, Any]:
    """The flags of this command by name, for `config.json`.

    Args:
      values: Parsed flags that `define` defined (absl's own are left out).

    Returns:
      Names and values.
    """
    own = flags.FlagValues()
    define(own)
    return {name: values[name].value for name in sorted(own)}


def _ratio(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise settings.SettingsError(
            "`--encryption_ratios` must be numbers in [0, 1] separated by commas, got "
            f"{text!r}. For example --encryption_ratios=0,0.1,1."
        ) from None
