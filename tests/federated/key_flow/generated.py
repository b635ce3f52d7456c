"""Computations that leak, and harmless ones, made of parts.

A *source* makes a secret number, int32 from 0 to 255, of the key. A *carrier* makes another
number of it, by whatever detour. A *place* is the control structure in which that happens.
A *way out* takes the number to where the server is, or the world. Every combination leaks.
With a public number instead of the source, every combination is harmless.
"""

import functools
import itertools
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import GraphTaint, Kept
from federated.key_flow.labels import ORDINARY, SECRET
from tests.federated.key_flow.generated_carriers import CARRIERS
from tests.federated.key_flow.generated_given import (
    KEY,
    PLACE_IN_KEY,
    UPLOAD,
    Given,
    row_of,
)
from tests.federated.key_flow.generated_places import PLACES
from tests.federated.key_flow.generated_sources import SOURCES
from tests.federated.key_flow.generated_ways_out import (
    ONE_WAY,
    UNSEEN,
    WAYS_OUT,
    after,
)
from tests.federated.rounds import CIPHER

# Those that a data set's function, or an eager trace, cannot hold.
_NOT_IN_FUNCTIONS = frozenset({"switch and merge", "which came", "after switch"})


class Case(NamedTuple):
    """A computation.

    Attributes:
      name: its parts.
      body: from what is given to a result; whatever else it does is in it too.
    """

    name: str
    body: Callable[[Given], tf.Tensor]


def leaks_by_result() -> Iterator[Case]:
    """Source, carrier and place; the result tells."""
    for source, carrier, place in itertools.product(SOURCES, CARRIERS, PLACES):
        if place != "straight" and carrier in _NOT_IN_FUNCTIONS:
            continue
        yield Case(
            f"{source}, {carrier}, {place}",
            functools.partial(_result, SOURCES[source], carrier, place),
        )


def leaks_by_the_way() -> Iterator[Case]:
    """Source, place and way out; the result is a constant."""
    for source, way, place in itertools.product(SOURCES, WAYS_OUT, PLACES):
        if place != "straight" and way in _NOT_IN_FUNCTIONS:
            continue
        yield Case(
            f"{source}, {place}, {way}",
            functools.partial(_by_the_way, SOURCES[source], way, place),
        )


REFUSED = ("cache", "png", "quantised", "shared memory")
"""Carriers of operations that no ordinary model has: none is believed (`pure_ops.py`)."""


def harmless() -> Iterator[Case]:
    """A public number by the same carriers and places, beside the key at work."""
    believed = [carrier for carrier in CARRIERS if carrier not in REFUSED]
    for carrier, place in itertools.product(believed, PLACES):
        if place != "straight" and carrier in _NOT_IN_FUNCTIONS:
            continue
        yield Case(f"{carrier}, {place}", functools.partial(_work, carrier, place))


def refused(carrier: str) -> Iterator[Case]:
    """A public number by such a carrier, at every place."""
    for place in PLACES:
        if place == "straight" or carrier not in _NOT_IN_FUNCTIONS:
            yield Case(f"{carrier}, {place}", functools.partial(_work, carrier, place))


def harmless_by_the_way() -> Iterator[Case]:
    """A public number is told to the world, which is no leak."""
    for way, place in itertools.product(ONE_WAY, PLACES):
        yield Case(f"{way}, {place}", functools.partial(_tell, way, place))


def _result(
    source: Callable[[Given], tf.Tensor], carrier: str, place: str, given: Given
) -> tf.Tensor:
    def body() -> tf.Tensor:
        secret = tf.ensure_shape(tf.cast(source(given), tf.int32), [])
        carried = CARRIERS[carrier](secret)
        return tf.ensure_shape(carried, [])

    return PLACES[place](body, given)


def _by_the_way(
    source: Callable[[Given], tf.Tensor], way: str, place: str, given: Given
) -> tf.Tensor:
    def body() -> tf.Tensor:
        secret = tf.cast(source(given), tf.int32)
        return after(WAYS_OUT[way](secret, given.folder))

    return PLACES[place](body, given)


def _work(carrier: str, place: str, given: Given) -> tf.Tensor:
    """Encrypts what the carrier made of the public number, and gives that out too."""

    def body() -> tf.Tensor:
        made = tf.ensure_shape(CARRIERS[carrier](given.public), [])
        hidden = CIPHER.encrypt(given.key, row_of(made))
        return made + tf.size(hidden)

    return PLACES[place](body, given)


def _tell(way: str, place: str, given: Given) -> tf.Tensor:
    def body() -> tf.Tensor:
        hidden = CIPHER.encrypt(given.key, row_of(given.public))
        return after(WAYS_OUT[way](given.public, given.folder), tf.size(hidden))

    return PLACES[place](body, given)


class Finding(NamedTuple):
    """What the analysis says of a case.

    Attributes:
      result: secrets in its result.
      exports: operations by which secrets leave.
      kept: secrets in what stays for the next computation of the same party.
    """

    result: frozenset
    exports: frozenset
    kept: frozenset

    @property
    def leaks(self) -> bool:
        return bool(self.result or self.exports)


@functools.cache
def trusted_functions() -> CipherOps:
    return CipherOps.of(CIPHER)


def graph_of(case: Case, folder: str = "/nowhere") -> Any:
    """The case as a graph, fed with `key`, `upload` and `public`."""
    with tf.Graph().as_default() as graph:
        given = Given(
            tf.compat.v1.placeholder(tf.string, [], "key"),
            tf.compat.v1.placeholder(tf.string, [1], "upload"),
            tf.compat.v1.placeholder(tf.int32, [], "public"),
            folder,
        )
        # Rewriting Python code would take most of the time.
        traced = tf.autograph.experimental.do_not_convert(case.body)
        tf.identity(traced(given), "result")
    return graph.as_graph_def()


def analyse(case: Case) -> Finding:
    """Labels the case's graph."""
    taint = GraphTaint(graph_of(case), trusted_functions(), Kept())
    feeds = {"key": KEY, "upload": UPLOAD, "public": ORDINARY}
    (result,) = taint.outputs(feeds, ["result:0"])
    return Finding(
        result & SECRET,
        frozenset(site.op for site, _ in taint.exports),
        (taint.kept.heap | taint.kept.drawn) & SECRET,
    )


def runs_alone(case: Case) -> bool:
    """Whether two runs of a leaking case can be told apart by what they leave."""
    parts = {part.strip() for part in case.name.split(",")}
    return not parts & (UNSEEN | _NOT_IN_FUNCTIONS)


def observe(case: Case, key: bytes, upload: bytes, folder: str) -> dict[str, Any]:
    """Runs the case: its result or error, and the names and contents of files."""

    @tf.function(autograph=False)
    def run(key: tf.Tensor, upload: tf.Tensor, public: tf.Tensor) -> tf.Tensor:
        return case.body(Given(key, upload, public, folder))

    seen: dict[str, Any] = {}
    try:
        result = run(tf.constant(key), tf.constant([upload]), tf.constant(3))
        seen["result"] = result.numpy()
    except tf.errors.OpError as error:
        # Without the names of traced functions, which are numbered.
        seen["error"] = re.sub(r"__\w+|\d+_\d+", "", str(error))
    for path, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            place = os.path.join(path, name)
            with open(place, "rb") as file:
                seen[os.path.relpath(place, folder)] = file.read()
    return seen


class Pair(NamedTuple):
    """Two keys and an upload under each, of which all sources differ much."""

    keys: tuple[bytes, bytes]
    uploads: tuple[bytes, bytes]


def draw_pair() -> Pair:
    """Draws keys whose sources give 128 to 199, and less than 64."""

    def small(key: bytes) -> bool:
        return max(_numbers(key)) < 64

    def large(key: bytes) -> bool:
        return all(128 <= number < 200 for number in _numbers(key))

    large_key = next(filter(large, _keys()))
    apart = (
        key
        for key in filter(small, _keys())
        if all(
            (a - b) % 7 for a, b in zip(_numbers(key), _numbers(large_key), strict=True)
        )
    )
    keys = (large_key, next(apart))
    uploads = tuple(
        CIPHER.encrypt(key, row_of(_numbers(key)[0]))[0].numpy() for key in keys
    )
    return Pair(keys, uploads)


def _keys() -> Iterator[bytes]:
    while True:
        yield CIPHER.keygen().numpy()


def _numbers(key: bytes) -> tuple[int, int]:
    hashed = tf.strings.to_hash_bucket_strong(tf.constant(key), 256, [1, 2])
    return key[PLACE_IN_KEY], int(hashed)
