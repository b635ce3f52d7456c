"""Which class belongs to which of the pictures that were found."""

import numpy as np
import tensorflow as tf
from scipy import optimize

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.labels import candidates as candidates_lib
from attacks.labels import solved
from attacks.structure import dense_layers as dense_lib
from federated import views


def assign(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
    units: np.ndarray,
) -> tuple[np.ndarray, str]:
    """Gives each picture one of the batch's labels.

    A unit that shows picture n alone has 1 / b of that picture's derivative by its bias,
    which the class decides: each picture gets the class that fits best, or, where the
    classes are declared or some picture is shown by no unit, the declared classes (or a
    label rule's) are handed out so that they fit best together.

    Labels that are numbers are solved for (`solved.py`); declared ones are handed out so
    that they come nearest to the solution.

    Runs on: attacker. Sees: the weights, the visible entries and its knowledge.

    Args:
      view: For the weights.
      target: The gradient.
      knowledge: The model, the batch size and perhaps labels.
      images: float32 [b, *input_shape].
      units: float64 [b, units] as `isolation.Isolated.units`; [b, 0] for none.

    Returns:
      As `Reconstruction.labels`, and "known", "inferred" or "guessed" (no visible entry
      speaks for all).
    """
    if knowledge.model.kind != "classes":
        return _numbers(view, target, knowledge, images)
    found = candidates_lib.candidates((target,), knowledge, most=1)
    classes, source = found.classes[0], found.source
    shown = np.any(units, axis=1)
    settled = len(images) == 1 and source != "guessed"
    biased = any(
        layer.sees_picture and layer.bias is not None
        for layer in dense_lib.dense_layers(knowledge.model)
    )
    if settled or not biased or not shown.any():
        return np.array(classes, np.int64), source
    misfits = np.stack(
        [
            _misfits(view, knowledge, image, own)
            if seen
            else np.zeros(knowledge.model.num_classes)
            for image, own, seen in zip(images, units, shown, strict=True)
        ]
    )
    if knowledge.labels is None and shown.all():
        return np.argmin(misfits, axis=1).astype(np.int64), "inferred"
    _, order = optimize.linear_sum_assignment(misfits[:, np.array(classes)])
    return np.array(classes, np.int64)[order], source


def _numbers(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
) -> tuple[np.ndarray, str]:
    if knowledge.labels is None:
        found = solved.solve(view, target, knowledge, images)
        return found.labels, "inferred" if found.determined else "guessed"
    declared = knowledge_lib.label_array(knowledge.model, knowledge.labels)
    if len(declared) == 1:
        return declared, "known"
    found = solved.solve(view, target, knowledge, images)
    costs = np.sum(np.square(found.labels[:, np.newaxis] - declared), axis=2)
    _, order = optimize.linear_sum_assignment(costs)
    return declared[order], "known"


def _misfits(
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    image: np.ndarray,
    units: np.ndarray,
) -> np.ndarray:
    """Each class's relative squared error at the units that show the picture, [classes].

    The derivative of -log p_c by the first layer's bias is what the picture would have
    contributed with class c.
    """
    model = knowledge.model
    first = next(layer for layer in dense_lib.dense_layers(model) if layer.sees_picture)
    places = tuple(dense_lib.slices_of(model).values())
    weights = tuple(tf.constant(tensor) for tensor in view.weights)
    bias = weights[places.index(first.bias)]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(bias)
        logits = model.apply(weights, tf.constant(image[np.newaxis]))
        losses = -tf.nn.log_softmax(logits[0])
    # One backward pass for each class: a vectorised one would be traced every time.
    contributions = tape.jacobian(losses, bias, experimental_use_pfor=False)
    contributions = contributions.numpy().astype(np.float64)
    shown = units != 0
    expected = contributions[:, shown] / knowledge.batch_size
    squares = np.sum(np.square(units[shown]))
    if knowledge.batch_size == 1:
        # Without a visible bias the units are known up to a scale only.
        lengths = np.sum(np.square(expected), axis=1) * squares
        return 1.0 - np.square(expected @ units[shown]) / np.maximum(lengths, 1e-300)
    errors = np.sum(np.square(expected - units[shown]), axis=1)
    return errors / squares
