"""Layer peeling: a ReLU network inverted from its head down, as far as algebra goes.

R-GAP (Zhu, Blaschko, ICLR 2021) needs activations that can be inverted. Through ReLUs
and max-poolings the gradient of a kernel still is linear in the layer's input, once it
is known which outputs count; from the head down that is known, or can be found
(`pooled.py`). Layers are taken off while a kernel has more entries for each input
channel than that channel has positions. What remains is a shallower network of which
the output, the derivative by it and all gradients are known. Where that output says more
numbers than a picture has pixels, steps of Gauss and Newton find it to rounding
(`newton.py`). Else pictures are searched that fit output and gradients (`descent.py`),
which are far easier to find than ones that fit the gradient of the whole network. This
attack is this project's.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.continuous.first_order import recipes, starts
from attacks.optimisers import blas
from attacks.pictures.peeling import descent, linearised, peel, top, walk
from attacks.pictures.peeling import search as search_lib
from attacks.structure import network as network_lib
from federated import views
from selenc_tf.types import Seed

_CANDIDATES: tuple[recipes.Initial, ...] = ("normal", "grey")
_DRAWS = 2
"""What a pooled layer's own search begins at, and how many of each, until one ends
exact."""

_PUBLIC = 12
"""Public pictures of the picture's class that it begins at before these: of a trained
network, of whose channels few are on, they are nearer."""

_STEPS, _LAST = 100, 1 / 4
"""Steps of `newton.py` at first, and the share of the iterations for some from the end of
the search. One takes as long as some iterations."""

_SCOUTING = 1 / 3
"""Share of the iterations after which a layer that resisted is tried again."""

_DEFAULT_EFFORT = effort_lib.Effort(restarts=1, max_iterations=500)


def build_layer_peeling(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack, for one picture.

    It is mask-aware by nature: hidden entries are equations that it does without.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: Starts of the search below the layers taken off, and its iterations.
      progress: Called after every fifty iterations.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack. The dense layers always come off: the search is for pictures that fit
      the input of the first of them, its derivative, and the gradients below. `stop` is
      "closed_form" if every convolution came off too, else how the search ended:
      "iterations", "seconds" or "not_finite". `objective` is that of gradient matching.
      It raises `DoesNotApply` if the batch is not one picture, the model is not a chain
      that `structure/network.py` reads, or the dense layers show too little to begin
      with, as with all of the head hidden; a ValueError if view, knowledge and
      `source` do not go together.
    """
    shared = programs_lib.Programs() if programs is None else programs

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        knowledge_lib.check_one_picture(knowledge, "layer peeling")
        network = shared.of(network_lib.read_network, knowledge.model)
        closed_form.check_target(target)
        labels, label_source = closed_form.label_of(target, knowledge)
        with blas.one_thread():
            reached = top.read(target, view.weights, network.dense, int(labels[0]))
        if reached is None:
            raise knowledge_lib.DoesNotApply(
                "The dense layers' visible gradients must determine their inputs, but "
                f"those of {[layer.name for layer in network.dense]} do not: too few "
                "entries are visible, or they are not those of one picture."
            )
        seconds = effort.max_seconds
        search = search_lib.Search(
            problem=peel.Problem(network, knowledge.model.spec, view.weights, target),
            compiled=lambda depth: shared.of(descent.build_advance, network, depth),
            walks=lambda depth: shared.of(walk.build, network, depth),
            maps=lambda depth: shared.of(linearised.build, network, depth),
            deadline=None if seconds is None else began + seconds,
            progress=progress,
        )
        begin = _Starts.of(knowledge, int(labels[0]), seed)
        found, entries = _reconstruct(search, reached, begin, effort)
        result = closed_form.report(
            view,
            target,
            knowledge,
            np.clip(found.image, 0, 1)[np.newaxis].astype(np.float32),
            labels,
            label_source,
            found.stop,
            entries,
            began,
        )
        searched = found.iterations
        return closed_form.verified(
            result._replace(converged=found.stop in {"closed_form", "tolerance"})
        )._replace(iterations=searched, evaluations=searched + 1)

    return attack


class _Starts(NamedTuple):
    """Pictures that searches begin at.

    Attributes:
      draw: `(kind, index) -> [h, w, c]`, without any knowledge of pictures.
      places: For the places of a pooled layer, in turn.
      middle: For `newton.py`: the mean public picture, or grey.
    """

    draw: Callable[[recipes.Initial, int], np.ndarray]
    places: list[np.ndarray]
    middle: np.ndarray

    @classmethod
    def of(
        cls, knowledge: knowledge_lib.Knowledge, label: int, seed: Seed
    ) -> "_Starts":
        def draw(initial: recipes.Initial, index: int) -> np.ndarray:
            return starts.draw_images(knowledge, initial, seed, index)[0]

        places = [draw(kind, index) for index in range(_DRAWS) for kind in _CANDIDATES]
        public = knowledge.public_examples
        if public is None:
            return cls(draw, places, draw("grey", 0))
        alike = public.examples[np.ravel(public.labels) == label][:_PUBLIC]
        middle = np.asarray(np.mean(public.examples, axis=0), np.float32)
        return cls(draw, [*alike, *places], middle)


def _reconstruct(
    search: search_lib.Search,
    reached: top.Known,
    begin: _Starts,
    effort: effort_lib.Effort,
) -> tuple[search_lib.Found, int]:
    """Takes layers off, searches below them, and takes off more where that helped."""
    problem, deadline, left = search.problem, search.deadline, effort.max_iterations
    level = peel.begin(problem, reached)
    level, resisted = peel.descend(problem, level, begin.places, deadline)
    direct = _direct(search, level, begin.middle, min(_STEPS, left), 0)
    if direct is not None and _final(direct):
        return direct, level.reached.entries
    done = 0 if direct is None else direct.iterations
    first = begin.draw(descent.RECIPE.initial, 0)
    scout: search_lib.Found | None = None
    if resisted and left - done > 1:
        scout = search_lib.run(
            search, level, first, max(1, int((left - done) * _SCOUTING)), done=done
        )
        done, first, above = done + scout.iterations, scout.image, level
        level, _ = peel.descend(problem, level, [first], deadline, search.walks)
        if level.depth < above.depth:
            direct = _direct(search, level, first, min(_STEPS, left - done), done)
            done += 0 if direct is None else direct.iterations
    entries = level.reached.entries
    if direct is not None and _final(direct):
        return direct._replace(iterations=done), entries
    if scout is not None and scout.stop == "seconds":
        return scout, entries
    # From where the search ends, steps end what it has left.
    last = 0 if direct is None else int((left - done) * _LAST)
    found: list[search_lib.Found] = []
    left -= done + last
    count = max(1, min(effort.restarts, left))
    for start in range(count):
        image = begin.draw(descent.RECIPE.initial, start) if start else first
        steps = max(1, left // count)
        found.append(
            search_lib.run(search, level, image, steps, start=start, done=done)
        )
        done += found[-1].iterations
        if found[-1].stop == "seconds":
            break
    best = min(found, key=lambda one: one.objective)
    if direct is not None and last and best.stop == "iterations":
        ended = search_lib.step(search, level, best.image, last, done=done)
        if ended is not None:
            done += ended.iterations
            best = min((direct, ended), key=lambda one: one.objective)
    return best._replace(iterations=done), entries


def _direct(
    search: search_lib.Search,
    level: peel.Level,
    start: np.ndarray,
    steps: int,
    done: int,
) -> search_lib.Found | None:
    """The picture where no search is needed: none is left to find, or it is determined."""
    if level.depth == 0:
        image = peel.picture(search.problem, level)
        return search_lib.Found(image, 0.0, 0, "closed_form")
    return search_lib.step(search, level, start, steps, done=done) if steps else None


def _final(found: search_lib.Found) -> bool:
    return found.stop in {"closed_form", "tolerance", "seconds"}
