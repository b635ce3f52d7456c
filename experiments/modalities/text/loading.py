"""Sentences of the catalogue or one's own, and a language model that reads them."""

from typing import Any

from experiments.data.text import catalog, models, own_lines
from experiments.data.text.models import LanguageModel
from experiments.data.text.sentences import Sentences
from experiments.modalities.text import token_data
from experiments.modalities.text.token_data import TokenData
from experiments.study import digests, places
from experiments.study.flag_table import SettingsError
from experiments.study.modality import Studied
from experiments.study.settings import AUTO_TASK, CLASSES, NEXT_TOKEN, Subject
from selenc_tf.models.text.token_model import TokenModel


def load(asked: Subject) -> Studied[TokenModel]:
    """Loads the sentences and the model with its vocabulary.

    Args:
      asked: Checked flags.

    Returns:
      Both, cut into the model's tokens.

    Raises:
      DataNotFoundError: If sentences or weights are not there and not to be had.
      ValueError: If there is no such model, or data and model do not go together.
    """
    found = _sentences(asked)
    task = _task(asked)
    if task == CLASSES and found.labels is None:
        raise SettingsError(
            f"`--model={asked.model}` learns classes, but the sentences of {found.name} "
            "have none. Write a tab and a class behind each line of `--text_file`, or "
            f"take a model that predicts the next token: {', '.join(_predicting())}."
        )
    language = _model(asked, found.num_classes if task == CLASSES else None)
    dataset = token_data.of_sentences(found, language)
    return Studied(dataset, language.model, _facts(asked, dataset, language))


def _sentences(asked: Subject) -> Sentences:
    if asked.text_file:
        return own_lines.load(places.path_of(asked.text_file))
    return catalog.load(asked.dataset, asked.data_dir or None)


def _task(asked: Subject) -> str:
    if asked.text_task != AUTO_TASK:
        return asked.text_task
    return NEXT_TOKEN if models.MODELS[asked.model].predicts else CLASSES


def _predicting() -> list[str]:
    return [name for name, entry in models.MODELS.items() if entry.predicts]


def _model(asked: Subject, num_classes: int | None) -> LanguageModel:
    try:
        return models.load(
            asked.model,
            asked.max_tokens,
            num_classes=num_classes,
            seed=asked.seed,
            directory=asked.weights or None,
            lora_rank=asked.lora_rank,
        )
    except ValueError as error:
        # Also where a vocabulary does not fit its weights, or positions are too few.
        adapted = f", `--lora_rank={asked.lora_rank}`" if asked.lora_rank else ""
        raise SettingsError(
            f"`--model={asked.model}` cannot be used with `--max_tokens="
            f"{asked.max_tokens}`{adapted} and these sentences: {error}"
        ) from None


def _facts(
    asked: Subject, dataset: TokenData, language: LanguageModel
) -> dict[str, Any]:
    model = language.model
    facts = {
        "loss": model.task.objective.name,
        "training_mode": model.task.training,
        "learns": model.kind,
        "weights_from": model.weights_from,
        "vocabulary": language.vocabulary.name,
        # What is trained here or lies in a folder may change while the flags stay.
        "weights_sha256": digests.of_arrays(
            *[one.numpy() for one in model.initial_weights]
        ),
    }
    if asked.text_file or asked.data_dir:
        facts["data_sha256"] = digests.of_arrays(dataset.examples, dataset.labels)
    return facts
