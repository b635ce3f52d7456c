"""The modalities by name, as data: the data set or model that flags name decides."""

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from experiments.data.text import catalog as text_catalog
from experiments.data.text import models as language_models
from experiments.study.settings import Subject

if TYPE_CHECKING:
    from experiments.study.modality import Modality


class Offer(NamedTuple):
    """Where a modality is, and by which names a user asks for it.

    Attributes:
      place: "module:attribute" of the `Modality`; imported when it is asked for.
      datasets: Names of `--dataset` that are of it.
      models: Names of `--model` that are of it.
    """

    place: str
    datasets: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()


PICTURES, TEXT = "pictures", "text"

MODALITIES: Mapping[str, Offer] = MappingProxyType(
    {
        PICTURES: Offer("experiments.modalities.pictures.modality:PICTURES"),
        TEXT: Offer(
            "experiments.modalities.text.modality:TEXT",
            frozenset(text_catalog.SENTENCES),
            frozenset(language_models.MODELS),
        ),
    }
)
"""A new modality is a folder, and one line here."""


def of(asked: Subject, offers: Mapping[str, Offer] = MODALITIES) -> "Modality":
    """The modality of what flags ask for.

    Args:
      asked: Names a data set and a model.
      offers: The modalities.

    Returns:
      The one that has the model or, where no data of one's own are given, the data set;
      else that of pictures and tables of numbers, which takes one's own, too.
    """
    for offer in offers.values():
        of_data = not asked.data and asked.dataset in offer.datasets
        if of_data or asked.model in offer.models:
            found: Modality = pkgutil.resolve_name(offer.place)
            return found
    pictures: Modality = pkgutil.resolve_name(offers[PICTURES].place)
    return pictures
