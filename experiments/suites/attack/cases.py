"""What the attack suite times: one small function for each case.

A case has everything that both sides need, as arrays. To add one, see `catalog`.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from experiments.data import catalog as data_catalog
from experiments.data import dataset as dataset_lib
from federated import views
from selenc_tf.models import functional, lenet


class Case(NamedTuple):
    """Single pictures and their gradients at one model.

    Attributes:
      title: What the output calls it.
      network: The name of the same network in `torch_networks.NETWORKS`.
      model: Ours.
      data: The data set's own name.
      images: float32 [p, h, w, c] in [0, 1].
      labels: int64 [p].
      gradients: float32 [p, n].
      starts: float32 [t, h, w, c], where objectives are evaluated.
      dtype: "float32" or "float64", in which both sides compute.
      distance: A key of `torch_worker.DISTANCES`.
      evaluations: Of one trial in a turn.
      attacked: How many of the pictures are recovered for the time to a PSNR.
    """

    title: str
    network: str
    model: functional.FunctionalModel
    data: str
    images: np.ndarray
    labels: np.ndarray
    gradients: np.ndarray
    starts: np.ndarray
    dtype: str
    distance: str
    evaluations: int
    attacked: int


class Drawn(NamedTuple):
    """The arrays of a case; see `Case`."""

    images: np.ndarray
    labels: np.ndarray
    gradients: np.ndarray
    starts: np.ndarray


def lenet_cifar100(pictures: int, trials: int, seed: int) -> Case:
    """The sigmoid LeNet on CIFAR-100, matched in float64 with the L2 distance."""
    dataset = data_catalog.load("cifar100")
    model = lenet.lenet(dataset.image_shape, dataset.num_classes, seed)
    return Case(
        "LeNet, CIFAR-100",
        "lenet",
        model,
        dataset.name,
        *draw(model, dataset, max(pictures, trials), trials, seed),
        dtype="float64",
        distance="l2",
        evaluations=20,
        attacked=pictures,
    )


def server_view(case: Case, picture: int) -> views.ServerView:
    """One client's gradient of one picture, with all entries visible."""
    weights = tuple(tensor.numpy() for tensor in case.model.initial_weights)
    nothing = np.zeros(case.model.spec.size, np.bool_)
    message = views.ClientMessage(case.gradients[picture], b"", 1.0)
    return views.ServerView(weights, nothing, (message,), None)


def draw(
    model: functional.FunctionalModel,
    dataset: dataset_lib.Dataset,
    pictures: int,
    trials: int,
    seed: int,
) -> Drawn:
    """The first pictures of a data set, their gradients, and starts of uniform noise.

    Args:
      model: At its initial weights.
      dataset: The data set; it starts again where it ends.
      pictures: How many.
      trials: How many starts.
      seed: Of the starts.

    Returns:
      The arrays.
    """
    chosen = np.arange(pictures) % len(dataset)
    images, labels = dataset.examples[chosen], dataset.labels[chosen]
    one_hot = tf.one_hot(labels, model.num_classes)
    gradients = [
        functional.gradient(
            model,
            model.initial_weights,
            tf.constant(images[index : index + 1]),
            one_hot[index : index + 1],
        ).numpy()
        for index in range(pictures)
    ]
    generator = np.random.default_rng(seed)
    shape = (trials, *model.input_shape)
    return Drawn(
        images=images,
        labels=np.asarray(labels, np.int64),
        gradients=np.stack(gradients),
        starts=generator.uniform(size=shape).astype(np.float32),
    )
