"""Who decides the classes to try: known, inferred, enumerated or guessed."""

import dataclasses

import numpy as np

from attacks import knowledge
from attacks import target as target_lib
from attacks.labels import candidates
from attacks.labels.candidates import Candidates
from tests.attacks import victims

HEAD = 12 * 3 + 3


def target_of(model, labels, hidden=slice(0, 0)):
    """A batch's gradient with some entries of the head hidden, counted from its first."""
    vector = victims.gradient(model, victims.tiny_pictures(len(labels)), labels)
    mask = np.zeros(vector.size, np.bool_)
    mask[-HEAD:][hidden] = True
    known = knowledge.Knowledge(model, batch_size=len(labels))
    view = victims.view_of(model, [vector], mask)
    return target_lib.build_target(view, known, 0, "mask_aware")


def found_of(model, labels, hidden=slice(0, 0), **options):
    known = knowledge.Knowledge(model, batch_size=len(labels))
    target = target_of(model, labels, hidden)
    return candidates.candidates((target,), known, **options)


def test_declared_labels_are_taken(tiny, with_labels):
    declared = Candidates(((0,),), "known")
    assert candidates.candidates((target_of(tiny, (1,)),), with_labels(0)) == declared
    assert candidates.declared(with_labels(0)) == declared
    assert candidates.declared(knowledge.Knowledge(tiny)) == candidates.JOINT


def test_one_picture(tiny):
    everything = slice(None)
    assert found_of(tiny, (1,)) == Candidates(((1,),), "inferred")
    every_class = Candidates(((0,), (1,), (2,)), "enumerated")
    assert found_of(tiny, (1,), everything) == every_class
    assert found_of(tiny, (1,), everything, most=2).source == "guessed"


def test_a_guess_is_the_likeliest_class_that_the_signs_allow(tiny):
    # Two entries of a row of the kernel, of opposite signs: either is the class.
    opposite = slice(2, None)
    several = Candidates(((0,), (1,)), "enumerated")
    assert found_of(tiny, (0,), opposite) == several
    assert found_of(tiny, (0,), opposite, most=1) == Candidates(((0,),), "guessed")
    assert found_of(tiny, (1,), opposite, most=1) == Candidates(((1,),), "guessed")


def test_nothing_to_tell_them_apart_is_a_guess(tiny):
    target = target_of(tiny, (1,))
    hidden = np.zeros_like(target.visible)
    nothing = dataclasses.replace(target, visible=hidden, matched=hidden)
    found = candidates.candidates((nothing,), knowledge.Knowledge(tiny))
    assert found.source == "guessed" and len(found.classes) == 1


def test_rounds_exclude_together(tiny):
    """What one round hides another may show."""
    hidden, plain = target_of(tiny, (2,), slice(None)), target_of(tiny, (2,))
    found = candidates.candidates((hidden, plain), knowledge.Knowledge(tiny))
    assert found == Candidates(((2,),), "inferred")


def test_a_batch(tiny):
    assert found_of(tiny, (2, 0)) == Candidates(((0, 2),), "inferred")
    # One entry of the bias is below zero for each class; a third picture may be any.
    found = found_of(tiny, (0, 2, 2))
    assert found.source == "enumerated" and (0, 2, 2) in found.classes
    assert all({0, 2} <= set(batch) for batch in found.classes)
    assert found_of(tiny, (0, 2, 2), most=1) == Candidates(((0, 2, 2),), "guessed")


def test_together():
    one, two = Candidates(((1,),), "inferred"), Candidates(((0,), (2,)), "enumerated")
    assert candidates.together([one, one]) == Candidates(((1, 1),), "inferred")
    both = Candidates(((0, 1), (2, 1)), "enumerated")
    assert candidates.together([two, one]) == both
    assert candidates.together([two] * 3).source == "enumerated"
    # 16 combinations are more than 12.
    assert candidates.together([two] * 4) == candidates.JOINT
    guess = Candidates(((0,),), "guessed")
    assert candidates.together([one, guess]) == candidates.JOINT


def test_guesses_differ(tiny):
    known = knowledge.Knowledge(tiny, batch_size=2)
    target = target_of(tiny, (0, 1), slice(None))
    generator = np.random.default_rng(0)
    alone = candidates.guesses(target, known, 1, generator)
    assert alone.source == "guessed" and len(alone.classes) == 1
    several = candidates.guesses(target, known, 8, generator)
    assert several.source == "enumerated"
    assert len(set(several.classes)) == len(several.classes) > 1
    assert all(batch == tuple(sorted(batch)) for batch in several.classes)
