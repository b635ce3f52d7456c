"""What an attacker may guess without any gradient, and guesses as results."""

from typing import Any, Literal, TypeAlias

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib

Prior: TypeAlias = Literal["grey", "mean", "class_mean", "random"]
"""Mid-grey; the mean of all public pictures; the mean of those of the known class (of
all where the class is unknown or has none); a public picture at random."""

PRIORS: tuple[Prior, ...] = ("grey", "mean", "class_mean", "random")


def prior_pictures(
    knowledge: knowledge_lib.Knowledge,
    labels: knowledge_lib.Labels | None,
    prior: Prior,
    generator: np.random.Generator,
) -> np.ndarray:
    """Guesses a batch from the prior alone.

    Runs on: attacker. Sees: its knowledge.

    Args:
      knowledge: For the shapes and the public pictures. Without them every prior is
        mid-grey.
      labels: The labels of the batch, or None; only classes have means of their own.
      prior: What to guess.
      generator: Used by "random" only.

    Returns:
      float32 [b, *input_shape] in [0, 1].
    """
    size = knowledge.batch_size
    pictures = knowledge.public_examples
    if pictures is None or prior == "grey":
        return np.full((size, *knowledge.model.input_shape), 0.5, np.float32)
    unknown = labels is None or prior == "mean" or knowledge.model.kind != "classes"
    classes = (None,) * size if unknown or labels is None else labels
    pools = [_pool(pictures, label) for label in classes]
    if prior == "random":
        chosen = [pool[generator.integers(len(pool))] for pool in pools]
    else:
        chosen = [pool.mean(axis=0, dtype=np.float64) for pool in pools]
    return np.clip(np.stack(chosen), 0, 1).astype(np.float32)


def _pool(pictures: knowledge_lib.PublicExamples, label: Any) -> np.ndarray:
    if label is None:
        return pictures.examples
    same = pictures.labels == label
    return pictures.examples[same] if np.any(same) else pictures.examples


def prior_labels(knowledge: knowledge_lib.Knowledge) -> np.ndarray:
    """The known labels, or else the most frequent public class for every picture.

    Of labels that are numbers it is the public mean.

    Runs on: attacker. Sees: its knowledge.

    Returns:
      As `Reconstruction.labels`; zeros where nothing at all is known.
    """
    if knowledge.labels is not None:
        return knowledge_lib.label_array(knowledge.model, knowledge.labels)
    pictures = knowledge.public_examples
    if knowledge.model.kind != "classes":
        width = knowledge.model.num_classes
        mean = np.zeros(width) if pictures is None else np.mean(pictures.labels, axis=0)
        return np.tile(mean, (knowledge.batch_size, 1)).astype(np.float32)
    label = 0 if pictures is None else int(np.argmax(np.bincount(pictures.labels)))
    return np.full(knowledge.batch_size, label, np.int64)


def blind_guess(knowledge: knowledge_lib.Knowledge) -> knowledge_lib.BlindGuess:
    """The best guess without a gradient: of all of them the mean has the least error.

    It is the mean of the public examples, of the known class where classes are told;
    without public examples the middle of the range in which all numbers lie.

    Runs on: attacker. Sees: its knowledge, and no message.

    Args:
      knowledge: What the attacker declares.

    Returns:
      The guess, one for each example of the batch.
    """
    public, told = knowledge.public_examples, knowledge.classes is not None
    if public is None:
        made_of = "the middle of the range of the data, as there are no public examples"
    else:
        each = " of the class that is told" if told else ""
        made_of = (
            f"the mean of the attacker's {len(public.examples):,} public examples{each}"
        )
    guess = as_reconstruction(
        prior_pictures(
            knowledge, knowledge.labels, "class_mean", np.random.default_rng(0)
        ),
        prior_labels(knowledge),
        "optimised" if knowledge.labels is None else "known",
        float("nan"),
        "prior_only",
    )
    return knowledge_lib.BlindGuess(guess, made_of)


def as_reconstruction(
    images: np.ndarray,
    labels: np.ndarray,
    label_source: str,
    objective: float,
    stop: str,
    *,
    iterations: int = 0,
    evaluations: int = 0,
    seconds: float = 0.0,
    matched_entries: int = 0,
) -> knowledge_lib.Reconstruction:
    """A result that no search for a matching gradient led to.

    Args:
      images: float [b, *input_shape]; clamped to [0, 1].
      labels: int [b], or float [b, num_classes].
      label_source: As in `Reconstruction`.
      objective: The visible error of the pictures; NaN where it was not looked at.
      stop: Why it ended here: "prior_only", "retrieved", "trained", "nothing_visible",
        "not_finite".
      iterations: In the attack's own unit of work.
      evaluations: Of gradients.
      seconds: Wall-clock time.
      matched_entries: How many visible entries were used.

    Returns:
      The reconstruction; `converged` is False, because nothing was matched exactly.
    """
    return knowledge_lib.Reconstruction(
        examples=np.clip(images, 0.0, 1.0).astype(np.float32),
        labels=labels.astype(
            np.float32 if np.issubdtype(labels.dtype, np.floating) else np.int64
        ),
        label_source=label_source,
        objective=objective,
        start_objectives=(objective,),
        iterations=iterations,
        evaluations=evaluations,
        seconds=seconds,
        converged=False,
        stop=stop,
        matched_entries=matched_entries,
    )


def without_matching(
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    generator: np.random.Generator,
) -> knowledge_lib.Reconstruction | None:
    """The result where there is nothing to match: the prior's guess, with the reason.

    Returns:
      None where something is visible and all of it is finite.
    """
    seen = target.vector[target.visible]
    if len(seen) and np.all(np.isfinite(seen)):
        return None
    return as_reconstruction(
        prior_pictures(knowledge, knowledge.labels, "class_mean", generator),
        prior_labels(knowledge),
        "optimised" if knowledge.labels is None else "known",
        float("nan"),
        "not_finite" if len(seen) else "nothing_visible",
    )
