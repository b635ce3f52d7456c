"""What a study asks of tunes."""

import tensorflow as tf

from attacks.knowledge import PublicExamples
from experiments.modalities.catalog import Offer
from experiments.outputs import reconstructions
from experiments.outputs.leaks import Leaks, Number, Share
from experiments.study.modality import Measured, Modality, Studied
from tests.experiments.modalities.tunes import attacks, model

_PLACE = "tests.experiments.modalities.tunes.modality:TUNES"

OFFERS = {"tunes": Offer(_PLACE, datasets=frozenset({"tunes"}))}
"""The line that a table would have."""

LEAKS = Leaks(
    modality="tunes",
    main=Number(
        key="notes_found",
        name="notes",
        words="share of notes",
        heading="Notes",
    ),
    tag="leakage_notes_{}",
    axis="median share of notes (higher = more leaked)",
    caption="Notes: share of a tune's notes that are found, median",
    numbers=(),
    shares=(
        Share(key="whole", name="whole", words="whole tunes", panel="whole tunes"),
    ),
    shown="{:.0%}".format,
    drawn=float,
    near=0.05,
)


def _batch(tunes, dataset, rows):
    return model.heard(dataset.examples[list(rows)]), dataset.labels[list(rows)]


def _inputs(tunes, dataset):
    notes, sounding = model.heard(dataset.examples)
    return {"notes": notes, "sounding": sounding}, dataset.labels


def _public(tunes, dataset, rows):
    return PublicExamples(dataset.examples[list(rows)], dataset.labels[list(rows)])


def _member(victims, found):
    pairs = zip(found.examples, victims.dataset.examples[[*victims.rows]], strict=True)
    shares = [attacks.recall(*pair) for pair in pairs]
    return [{"notes_found": share, "whole": share == 1.0} for share in shares]


def _measure(victims, found):
    return [
        Measured(example, measures, None, None, {})
        for example, measures in zip(
            found.examples, _member(victims, found), strict=True
        )
    ]


def _texts(run_folder, dataset, records):
    kept = [reconstructions.load(run_folder, record.key) for record in records]
    lines = [
        f"{dataset.examples[record.image_index].tolist()}: {tune.tolist()}"
        for record, tune in zip(records, kept, strict=True)
        if tune is not None
    ]
    return {"tunes": "\n".join(lines)}


TUNES = Modality(
    leaks=LEAKS,
    load=lambda asked: Studied(model.tunes(), model.build(asked.seed), {}),
    attacked=attacks.TUNES,
    attacks=attacks.ATTACKS,
    on_aggregate="table_rows",
    batch=_batch,
    inputs=_inputs,
    told=lambda tunes, labels: tuple(int(label) for label in labels),
    public=_public,
    at_weights=lambda tunes, weights, state: tunes._replace(
        initial_weights=tuple(tf.constant(one) for one in weights)
    ),
    units=lambda tunes: (),
    measure=_measure,
    measure_member=_member,
    show=lambda run_folder, dataset, records: None,
    texts=_texts,
    visible=lambda dataset: "tunes",
)
