"""How many examples of a batch have which class, from what a layer's gradient shows.

With the inputs that the examples have in common every class has one derivative by the
layer's outputs, and the batch's mean derivative is their mean by counts: a small problem
of nonnegative least squares, in any dense layer. It sees the weights, unlike rules on
the head alone, and needs no nonnegative features.
"""

import numpy as np
from scipy import optimize

from attacks.continuous.features import mixing


def hypotheses(given: mixing.Problem, most: int) -> list[np.ndarray]:
    """The likeliest classes of a batch.

    Runs on: attacker. Sees: the weights and what is in the equations.

    Args:
      given: The equations of a layer of a model that learns classes.
      most: How many to give.

    Returns:
      int64 [b] each, ascending, the likeliest first.
    """
    classes, size = given.layer.slopes.classes, given.size
    outputs = given.outputs(np.repeat(given.common[None], classes, axis=0))
    slopes = given.layer.slopes.slopes(outputs, np.eye(classes))
    columns = given.span.columns
    each = slopes[:, columns] / given.span.scale[columns]
    # The strongest direction of the right side is nearly the mean derivative.
    mean = given.seen[0] * np.sign(given.common[0] or 1.0)
    shares = optimize.nnls(each.T, mean)[0]
    total = float(np.sum(shares))
    if not total > 0:
        return []
    wanted = shares / total * size
    counts = np.floor(wanted)
    while np.sum(counts) < size:
        counts[np.argmax(wanted - counts)] += 1
    found = [(0.0, counts)]
    for source in np.flatnonzero(counts):
        for place in range(classes):
            if place == source:
                continue
            moved = counts.copy()
            moved[source] -= 1
            moved[place] += 1
            far = np.sum(np.square(moved - wanted) - np.square(counts - wanted))
            found.append((float(far), moved))
    found[1:] = sorted(found[1:], key=lambda one: one[0])
    return [np.repeat(np.arange(classes), one.astype(int)) for _, one in found[:most]]
