"""R-GAP: one picture from a convolutional chain, layer by layer in closed form.

Zhu, Blaschko, "R-GAP: Recursive Gradient Attack on Privacy", ICLR 2021, algorithm 1. From
the head's input downwards each layer's input solves linear equations: the weights say
what its output was, the kernel's gradient what it was multiplied with.

    head: features h, p - y  ->  h is the output of the last convolution, dL/dh
    output a: z = inverse activation of a, dL/dz = a' dL/da
    convolution i: [W; K] x = [z - b; dL/dW]  ->  x, dL/dx = W^T dL/dz
    x is the output of convolution i - 1, and so on down to the picture

The paper's activation is the leaky ReLU. Sigmoid and tanh are ours: the equations for z
are then weighted by a', because a saturated output says little about its z.
"""

import time
from typing import NamedTuple

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form, r_gap_head, r_gap_solve
from attacks.structure import chain as r_gap_layers
from attacks.structure import dense_layers as dense_lib
from federated import views
from selenc_tf.types import Seed


class Recursion(NamedTuple):
    """The outcome of the recursion.

    Attributes:
      image: float64 [h, w, c] in the model's own units, not clipped; None if the head
        says too little.
      ranks: The numerical rank of each convolution's equations, first layer first.
      unknowns: The rank that each needs.
      entries: Number of gradient entries used.
    """

    image: np.ndarray | None
    ranks: tuple[int, ...]
    unknowns: tuple[int, ...]
    entries: int


def build_r_gap(*, source: target_lib.Source = 0) -> knowledge_lib.Attack:
    """Builds the recursive gradient attack, for one picture.

    It is mask-aware by nature: hidden entries are equations that it does without.

    Args:
      source: One client's message by its index, or "aggregate".

    Returns:
      The attack; closed form, so the seed has no effect. `stop` is "closed_form" if
      every layer's equations have full rank, "inconsistent" if its picture still does not
      explain the gradient, or "rank_deficient". It raises
      `DoesNotApply` if the batch is not one picture, the model is not a chain of
      convolutions with leaky ReLUs, sigmoids or tanhs and one dense head, or the head
      shows too little to begin; a ValueError if view, knowledge and `source` do not go
      together.
    """

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        knowledge_lib.check_one_picture(knowledge, "R-GAP")
        chain = r_gap_layers.read_chain(knowledge.model)
        closed_form.check_target(target)
        labels, label_source = closed_form.label_of(target, knowledge)
        found = recurse(view, target, knowledge, chain, int(labels[0]))
        if found.image is None or not np.all(np.isfinite(found.image)):
            raise knowledge_lib.DoesNotApply(
                "The visible entries of the head's gradient must determine its input, "
                f"but of layer {dense_lib.dense_layers(knowledge.model)[0].name!r} too "
                "few are visible, or they are not those of one picture."
            )
        image = np.clip(knowledge.model.value_range.to_unit(found.image), 0, 1)
        result = closed_form.report(
            view,
            target,
            knowledge,
            image[np.newaxis].astype(np.float32),
            labels,
            label_source,
            "closed_form" if found.ranks == found.unknowns else "rank_deficient",
            found.entries,
            began,
        )
        return closed_form.verified(result)

    return attack


def recurse(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    chain: tuple[r_gap_layers.ConvLayer, ...],
    label: int,
) -> Recursion:
    """Inverts the head, then one convolution after the other.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      view: For the weights.
      target: The gradient of one picture.
      knowledge: For the model.
      chain: Its convolutions.
      label: The picture's class.

    Returns:
      The first layer's input and the ranks on the way.
    """
    weights = [np.asarray(tensor, np.float64) for tensor in view.weights]
    vector = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    head = dense_lib.dense_layers(knowledge.model)[0]
    # The head is the last layer: its kernel, then its bias if it has one.
    kernel = weights[-1] if head.bias is None else weights[-2]
    bias = np.zeros(head.units) if head.bias is None else weights[-1]
    top = r_gap_head.read(vector, target.visible, head, kernel, bias, label)
    if top is None:
        return Recursion(None, (), tuple(_unknowns(chain)), 0)
    output, known = top.features, top.features_known
    slopes = kernel @ np.where(top.delta_known, top.delta, 0.0)
    ranks, entries = [], top.entries
    for layer in reversed(chain):
        shape = weights[layer.kernel].shape
        # Where p - y is not known, neither is any derivative: weights alone must do.
        usable = target.visible[layer.place] & top.delta_known.all()
        step = r_gap_solve.solve(
            layer,
            r_gap_solve.Layer(
                output=output,
                output_known=known,
                slopes_of_loss=slopes,
                gradient=vector[layer.place].reshape(shape),
                visible=usable.reshape(shape),
                kernel=weights[layer.kernel],
                bias=np.zeros(shape[-1]) if layer.bias is None else weights[layer.bias],
            ),
        )
        output, slopes = step.input, step.slopes_of_loss
        known = np.ones(output.shape, np.bool_)
        ranks.append(step.rank)
        entries += step.gradient_rows
    image = output.reshape(knowledge.model.input_shape)
    return Recursion(image, tuple(reversed(ranks)), tuple(_unknowns(chain)), entries)


def _unknowns(chain: tuple[r_gap_layers.ConvLayer, ...]) -> list[int]:
    return [int(np.prod(layer.input_shape)) for layer in chain]
