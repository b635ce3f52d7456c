"""The cases of the first-order attacks: float32, the cosine of whole gradients.

One trial at a time: on networks of this size a batch of trials wins nothing, as one
fills the cores.
"""

from collections.abc import Callable

from experiments.data import catalog as data_catalog
from experiments.suites.attack import cases
from experiments.suites.attack.cases import Case
from selenc_tf.models import convnet64, functional, resnet18

MOST_PICTURES = 3
"""That are recovered: an iteration costs about 0.3 s on two cores, and a picture takes
hundreds."""


def convnet64_cifar100(pictures: int, trials: int, seed: int) -> Case:
    """The ConvNet of width 64; `trials` is ignored."""
    del trials
    return _cifar100(
        "ConvNet64, CIFAR-100",
        "convnet",
        convnet64.convnet64,
        seed,
        evaluations=5,
        attacked=min(pictures, MOST_PICTURES),
    )


def resnet18_cifar100(pictures: int, trials: int, seed: int) -> Case:
    """ResNet-18, whose speed alone is measured; `pictures` and `trials` are ignored."""
    del pictures, trials
    return _cifar100(
        "ResNet-18, CIFAR-100",
        "resnet18",
        resnet18.resnet18,
        seed,
        evaluations=1,
        attacked=0,
    )


def _cifar100(
    title: str,
    network: str,
    build: Callable[[tuple[int, int, int], int, int], functional.FunctionalModel],
    seed: int,
    *,
    evaluations: int,
    attacked: int,
) -> Case:
    dataset = data_catalog.load("cifar100")
    model = build(dataset.image_shape, dataset.num_classes, seed)
    return Case(
        title,
        network,
        model,
        dataset.name,
        *cases.draw(model, dataset, max(attacked, 1), 1, seed),
        dtype="float32",
        distance="cosine",
        evaluations=evaluations,
        attacked=attacked,
    )
