"""What the flags of language models must be together, and what is for others."""

from collections.abc import Iterator

from attacks import words
from attacks.catalog import ATTACKS
from experiments.data.text import catalog, models
from experiments.study import places
from experiments.study.settings import (
    AUTO_TASK,
    CLASSES,
    DATASET,
    MAX_TOKENS,
    NEXT_TOKEN,
    Settings,
    Subject,
)
from selenc_tf import catalog as scores

_TAKE_FOLDERS = [name for name, one in models.MODELS.items() if one.takes_folder]


def is_text(asked: Subject) -> bool:
    """Whether a language model is asked for."""
    return asked.model in models.MODELS


def subject(asked: Subject) -> Iterator[str]:
    """What the flags of model and data must be together."""
    if asked.text_file:
        for name, given in (
            ("dataset", asked.dataset != DATASET),
            ("data", bool(asked.data)),
            ("data_dir", bool(asked.data_dir)),
        ):
            if given:
                yield (
                    f"`--{name}` must not be given with `--text_file`. Leave one of them "
                    "out."
                )
    if is_text(asked):
        yield from _language(asked)
        return
    yield from _of_language(asked)
    if _of_sentences(asked):
        data = "--text_file" if asked.text_file else f"--dataset={asked.dataset}"
        yield (
            f"`{data}` is of sentences, which `--model={asked.model}` does not take. Take "
            f"one of {', '.join(models.MODELS)}."
        )


def attacks(settings: Settings) -> Iterator[str]:
    """Which attacks are for such a model."""
    text = is_text(settings)
    fitting = [
        name
        for name, entry in ATTACKS.items()
        if entry.envelope or text == (entry.inputs == words.TOKENS)
    ]
    for name in settings.attack.methods:
        if name in ATTACKS and name not in fitting:
            takes = "sentences" if text else "pictures or numbers"
            yield (
                f"`--attacks={name}` is for models of other examples, but "
                f"`--model={settings.model}` takes {takes}. Take any of: "
                f"{', '.join(fitting)}."
            )


def metrics(settings: Settings) -> Iterator[str]:
    """Which metrics are for such a model: none that differentiates by examples."""
    if not is_text(settings):
        return
    known = scores.METRICS
    fitting = [name for name, one in known.items() if "batch" not in one.needs]
    for name in settings.masks.metrics:
        if name in known and name not in fitting:
            yield (
                f"`--significance={name}` looks at examples that are pictures or numbers, "
                f"but `--model={settings.model}` takes sentences. Take any of: "
                f"{', '.join(fitting)}."
            )


def without_text(asked: Subject) -> Iterator[str]:
    """Refuses a language model where a command is for pictures and numbers alone."""
    if is_text(asked) or _of_sentences(asked):
        yield (
            "`--model` and data must be of pictures or numbers here: language models are "
            "trained and attacked by `python -m experiments.run`."
        )
    else:
        yield from _of_language(asked)


def _of_language(asked: Subject) -> Iterator[str]:
    """Flags that do nothing without a language model."""
    for name, changed in (
        ("max_tokens", asked.max_tokens != MAX_TOKENS),
        ("text_task", asked.text_task != AUTO_TASK),
        ("lora_rank", asked.lora_rank != 0),
    ):
        if changed:
            yield (
                f"`--{name}` is for language models, and would do nothing with "
                f"`--model={asked.model}`. Leave it out."
            )
    if asked.weights and places.path_of(asked.weights).is_dir():
        yield (
            f"`--weights` must be a file with `--model={asked.model}`, got a folder: that "
            f"is for {' and '.join(_TAKE_FOLDERS)}."
        )


def _of_sentences(asked: Subject) -> bool:
    return bool(asked.text_file) or asked.dataset in catalog.SENTENCES


def _language(asked: Subject) -> Iterator[str]:
    """Of a language model."""
    if not _of_sentences(asked) or asked.data:
        yield (
            f"`--model={asked.model}` takes sentences: give `--text_file`, or `--dataset` "
            f"as one of {', '.join(catalog.SENTENCES)}."
        )
    for name, changed in (
        ("loss", bool(asked.loss)),
        ("training_mode", not asked.training_mode),
        ("data_range", bool(asked.data_range)),
        ("allow_download", not asked.allow_download),
    ):
        if changed:
            yield (
                f"`--{name}` is for models of pictures and numbers; language models know "
                "no such choice. Leave it out."
            )
    entry = models.MODELS[asked.model]
    for task, able in ((CLASSES, entry.classifies), (NEXT_TOKEN, entry.predicts)):
        if asked.text_task == task and not able:
            yield (
                f"`--text_task={task}` cannot be used with `--model={asked.model}`, which "
                "does not learn that here. Leave it out."
            )
    if asked.weights and not entry.takes_folder:
        yield (
            f"`--weights` is, of language models, for {' and '.join(_TAKE_FOLDERS)}; "
            f"{asked.model!r} has its own. Leave it out."
        )
    elif asked.weights and not places.path_of(asked.weights).is_dir():
        yield (
            f"`--weights` must be a folder with `--model={asked.model}`, in KerasHub's or "
            f"Hugging Face's layout, got {asked.weights!r}."
        )
