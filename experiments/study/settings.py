"""What a run is asked to do: the table of its flags.

A new flag is a field here, and its use. What several flags are together is checked by
`rules`.
"""

import dataclasses

from attacks import catalog as attack_catalog
from attacks import words
from experiments.data import catalog as data_catalog
from experiments.data.text import catalog as text_catalog
from experiments.data.text import models as language_models
from experiments.study import optimizers, places, protocols
from experiments.study.flag_table import at_least, flag, within
from selenc_tf import catalog
from selenc_tf.validation import check_fraction, check_positive

DATASET, LABEL = "mnist", "label"
MAX_TOKENS = 24
AUTO_TASK, CLASSES, NEXT_TOKEN = TEXT_TASKS = ("auto", "classes", "next_token")
"""What a language model learns; "auto" is the next token where it can predict it."""
IID, DIRICHLET, CLIENTS = SPLITS = ("iid", "dirichlet", "clients")
"""How examples come to clients: dealt out, unevenly by class, or as the data say."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """Which model is studied on which data."""

    dataset: str = flag(
        "dataset",
        DATASET,
        "Data of the catalogue, where there is no --data.",
        choices=(*data_catalog.CATALOG, *text_catalog.SENTENCES),
    )
    text_file: str = flag(
        "text_file",
        "",
        "Own sentences for a language model: one a line, with a tab and a class behind it "
        "or without.",
        rule=places.check_text_file,
    )
    max_tokens: int = flag(
        "max_tokens",
        MAX_TOKENS,
        "Positions of a language model's sentences, special tokens included; longer "
        "sentences are cut at their end.",
        rule=at_least(4),
    )
    text_task: str = flag(
        "text_task",
        AUTO_TASK,
        "What a language model learns; auto is the next token where it can predict it.",
        choices=TEXT_TASKS,
    )
    lora_rank: int = flag(
        "lora_rank",
        0,
        "Rank of adapters (LoRA) of a language model's queries and values, which then are "
        "all that is trained, sent and attacked; 0 for the whole model.",
        rule=at_least(0),
    )
    data_dir: str = flag(
        "data_dir",
        "",
        "Folder with the original files of the data set, if any.",
        rule=places.check_folder,
        neutral=True,
    )
    allow_download: bool = flag(
        "allow_download",
        True,
        "Whether the standard loader may ask the internet for the whole data set.",
        neutral=True,
    )
    data: str = flag(
        "data",
        "",
        "Own data: a folder of pictures by class, an .npz (x, y), a .csv, or "
        "package.module:function.",
        rule=places.check_source,
    )
    data_range: tuple[float, ...] = flag(
        "data_range",
        (),
        "low,high: the interval of all numbers that an own model takes, by default that "
        "of its data.",
        optional=True,
    )
    label_column: str = flag("label_column", LABEL, "Of --data that is a table.")
    client_column: str = flag(
        "client_column", "", "The column that says whose a row is, if there is one."
    )
    model: str = flag(
        "model",
        "lenet",
        "Architecture. An own one is package.module:function, which takes no arguments "
        f"and returns a Keras model or a LearningTask; or {', '.join(catalog.MODELS)}; "
        f"of sentences {', '.join(language_models.MODELS)}.",
        rule=places.check_model,
    )
    weights: str = flag(
        "weights",
        "",
        "What the model starts from: a .weights.h5 or .keras file, or an .npz of "
        "`model.get_weights()` in order. Of bert_base_en_uncased and gpt2_base_en a "
        "folder, in KerasHub's or Hugging Face's layout.",
        rule=places.check_weights,
    )
    loss: str = flag(
        "loss",
        "",
        "Keras' name of an own model's loss; by default the compiled one, or what its "
        "outputs suggest.",
    )
    training_mode: bool = flag(
        "training_mode",
        True,
        "Whether an own model's gradients are taken in Keras' training mode (batch "
        "statistics, dropout) or with everything frozen.",
    )
    seed: int = flag(
        "seed",
        0,
        "Seed of weights, data, masks and attacks (never of keys and noise).",
        rule=within(0, 2**31 - 1),  # TensorFlow's seeds are int32.
    )


@dataclasses.dataclass(frozen=True)
class Grid:
    """Which metrics are compared at which shares."""

    metrics: tuple[str, ...] = flag(
        "significance",
        ("magnitude", "random"),
        "Metrics that choose what to hide.",
        choices=catalog.METRICS,
    )
    ratios: tuple[float, ...] = flag(
        "encryption_ratios",
        (0.0, 0.01, 0.1, 0.5, 1.0),
        "Shares to encrypt, in [0, 1].",
        rule=check_fraction,
    )


@dataclasses.dataclass(frozen=True)
class MaskSettings(Grid):
    """What is hidden, and how a cohort agrees on it."""

    policy: str = flag(
        "mask_policy",
        "top_fraction",
        "How scores become a mask.",
        choices=catalog.POLICIES,
    )
    head_size: int = flag(
        "head_size",
        0,
        "Columns of an attention head, for --mask_policy=heads.",
        rule=at_least(0),
    )
    agreement: str = flag(
        "mask_agreement",
        protocols.AUTO,
        "How a cohort agrees on a mask; score_sum is encrypted, and auto takes the "
        "first that a metric allows.",
        choices=(protocols.AUTO, *protocols.PROTOCOLS),
    )
    layers: tuple[str, ...] = flag(
        "mask_layers",
        (),
        "Regular expressions of the tensors that --mask_policy=layer_list hides.",
        optional=True,
    )
    always_hide: tuple[str, ...] = flag(
        "always_hide",
        (),
        "Hidden whatever the scores.",
        choices=catalog.SELECTORS,
        optional=True,
    )
    history: str = flag(
        "mask_history",
        "none",
        "What masks remember: ema is a moving average of the scores, with first the "
        "first mask is kept.",
        choices=("none", "ema", "first"),
    )


@dataclasses.dataclass(frozen=True)
class EncryptionSettings:
    """How hidden entries are encoded and encrypted."""

    codec_bits: int = flag(
        "codec_bits",
        28,
        "Bits of an encrypted value, 4 to 32.",
        rule=within(4, 32),
    )
    codec_bound: float = flag(
        "codec_bound",
        4.0,
        "Largest magnitude of an entry of a gradient or update that is encoded as it is.",
        rule=within(1e-20, 1e20),  # Times a weight it stays in the codec's range.
    )
    codec_rounding: str = flag(
        "codec_rounding", "nearest", "How to round.", choices=("nearest", "stochastic")
    )
    scales: str = flag(
        "scales",
        "public_bound",
        "Where the codec's bounds come from: --codec_bound, the previous aggregate of "
        "each tensor, or the norm --codec_bound to which clients clip.",
        choices=catalog.SCALES,
    )
    cipher: str = flag(
        "cipher",
        "tf_shell_bgv",
        "The cipher; the insecure one is for comparison.",
        choices=catalog.CIPHERS,
    )
    keys: str = flag(
        "keys",
        "shared",
        "Who has keys where the server learns a sum: shared is one key of all clients, "
        "per_client fresh secrets of every client, of which a secure sum tells the server "
        "the sum, with --cipher=device_rlwe.",
        choices=("shared", "per_client"),
    )
    key_rotation: str = flag(
        "key_rotation",
        "run",
        "How often there is a new key (of training).",
        choices=("run", "round"),
    )
    damaged: str = flag(
        "damaged_messages",
        "drop",
        "An upload that the server refuses: drop leaves its client out of the round, "
        "fail ends the run.",
        choices=("drop", "fail"),
    )

    @property
    def per_client(self) -> bool:
        """Whether there is no shared key where the server learns a sum."""
        return self.keys == "per_client"


@dataclasses.dataclass(frozen=True)
class Federation:
    """Clients and how they learn: what weights become."""

    weights_after_rounds: int = flag(
        "weights_after_rounds",
        0,
        "Attacked and analysed messages are of the weights after so many rounds of plain "
        "averaging by these clients, kept in ~/.cache/selenc_tf; 0 for the first ones.",
        rule=at_least(0),
    )
    num_clients: int = flag("num_clients", 5, "Clients of a training round.")
    examples: int = flag(
        "client_examples",
        100,
        "Examples of a client; with --split=dirichlet on average, with --split=clients "
        "at most.",
        rule=at_least(1),
    )
    batch_size: int = flag(
        "client_batch_size",
        20,
        "Batch size of a client's local steps.",
        rule=at_least(1),
    )
    local_epochs: int = flag(
        "local_epochs",
        5,
        "Local passes over a client's data in a round.",
        rule=at_least(1),
    )
    client_optimizer: str = flag(
        "client_optimizer", "adam", "Of the local steps.", choices=optimizers.OPTIMIZERS
    )
    learning_rate: float = flag(
        "client_learning_rate",
        0.01,
        "Learning rate of the local steps.",
        rule=check_positive,
    )
    server_optimizer: str = flag(
        "server_optimizer",
        "sgd",
        "Of the server's step; sgd with the rate 1 is plain averaging.",
        choices=optimizers.OPTIMIZERS,
    )
    server_learning_rate: float = flag(
        "server_learning_rate",
        1.0,
        "Learning rate of the server's step.",
        rule=check_positive,
    )
    split: str = flag(
        "split",
        IID,
        "How examples come to clients: dealt out, unevenly by class, or as the data say.",
        choices=SPLITS,
    )
    dirichlet_alpha: float = flag(
        "dirichlet_alpha",
        0.5,
        "Of --split=dirichlet: 0.1 is very uneven, 100 nearly even.",
        rule=check_positive,
    )
    test_examples: int = flag(
        "test_examples",
        1000,
        "Examples on which loss and accuracy are measured.",
        rule=at_least(1),
    )


@dataclasses.dataclass(frozen=True)
class Federated(Subject):
    """A model on data that clients have."""

    training: Federation = Federation()


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Federation):
    """Federated training, which gives overhead, loss and accuracy."""

    rounds: int = flag(
        "rounds",
        4,
        "Rounds of federated training, from the first weights, for each ratio and metric; "
        "0 for none.",
        rule=at_least(0),
    )
    min_clients: int = flag(
        "min_clients",
        2,
        "Smallest cohort whose sum clients decrypt.",
        rule=at_least(2),
    )


@dataclasses.dataclass(frozen=True)
class Messages:
    """Which gradients are looked at."""

    num_images: int = flag(
        "num_images",
        3,
        "Messages that are looked at: one client and one batch each.",
        rule=at_least(0),
    )
    batch_size: int = flag(
        "attack_batch_size", 1, "Examples behind such a gradient.", rule=at_least(1)
    )


@dataclasses.dataclass(frozen=True)
class AttackSettings(Messages):
    """The attacks, which give leakage."""

    methods: tuple[str, ...] = flag(
        "attacks",
        ("idlg",),
        "Methods (docs/attacks.md).",
        choices=attack_catalog.ATTACKS,
    )
    attackers: tuple[str, ...] = flag(
        "attackers",
        ("naive", "mask_aware"),
        "What attackers make of hidden entries.",
        choices=words.MODES,
    )
    labels_known: bool = flag(
        "labels_known",
        False,
        "Whether labels are declared as the attacker's knowledge.",
    )
    restarts: int = flag("attack_restarts", 2, "Starts of an attack.", rule=at_least(1))
    max_iterations: int = flag(
        "attack_iterations",
        500,
        "Iterations of an attack in all, over all starts, in its own unit.",
        rule=at_least(1),
    )
    max_seconds: float = flag(
        "attack_seconds",
        0.0,
        "Wall-clock limit of an attack; 0 for none.",
        rule=at_least(0),
    )
    aggregate_clients: int = flag(
        "aggregate_clients",
        2,
        "Clients of an attacked aggregate, 0 for none. Whatever --attacks says, dlg "
        "attacks it: nothing of an aggregate is hidden.",
        rule=at_least(0),
    )
    cohort_clients: int = flag(
        "cohort_clients",
        2,
        "Clients that --attacks=cohort attacks together.",
        rule=at_least(0),
    )
    public_images: int = flag(
        "attack_public_images",
        500,
        "Examples of the data set that attackers have, other than the attacked ones.",
        rule=at_least(0),
    )
    rounds: int = flag(
        "attack_rounds",
        1,
        "Rounds in which a client sends the same examples.",
        rule=at_least(1),
    )
    local_epochs: int = flag(
        "attack_local_epochs",
        1,
        "Local passes behind an attacked message.",
        rule=at_least(1),
    )
    local_batch_size: int = flag(
        "attack_local_batch_size",
        0,
        "Examples of a local step; 0 for all.",
        rule=at_least(0),
    )
    local_learning_rate: float = flag(
        "attack_local_learning_rate",
        0.01,
        "Of the local steps.",
        rule=check_positive,
    )

    @property
    def is_one_gradient(self) -> bool:
        """Whether an attacked message is one gradient, not several local steps."""
        whole = self.local_batch_size in (0, self.batch_size)
        return self.local_epochs == 1 and whole


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a run's files are."""

    logdir: str = flag(
        "logdir",
        "runs",
        "Folder of all runs; ~ is your home.",
        rule=places.check_name_of_folder,
        neutral=True,
    )
    run_name: str = flag(
        "run_name",
        "",
        "Name of this run's folder in --logdir; by default made of the model and the data, "
        "and of what the command does.",
        neutral=True,
    )


@dataclasses.dataclass(frozen=True)
class OutputSettings(Place):
    """Where a run's files go, if it makes any."""

    dry_run: bool = flag(
        "dry_run",
        False,
        "Check everything, say what would be done and what it takes, and do nothing.",
        neutral=True,
    )


@dataclasses.dataclass(frozen=True)
class Settings(Federated):
    """A whole run."""

    training: TrainingSettings = TrainingSettings()
    masks: MaskSettings = MaskSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    attack: AttackSettings = AttackSettings()
    output: OutputSettings = OutputSettings()
