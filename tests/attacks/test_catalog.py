"""The catalogue as data: light to import, and open for attacks and members."""

import pkgutil
import re
import subprocess
import sys

import numpy as np
import pytest

from attacks import catalog, effort, knowledge
from attacks.catalog import ATTACKS, Entry
from attacks.pictures.statistical import prior_pictures
from selenc_tf.models.local_steps import LocalTraining
from tests.attacks import victims

SEED = (1, 2)
QUICK = effort.Effort(restarts=1, max_iterations=3)


def build_told(**options):
    """An attack that hands back what its builder was given."""

    def attack(view, knowledge, seed):
        del view, knowledge, seed
        return options

    return attack


def build_source_only(*, source):
    return build_told(source=source)


def build_white():
    def attack(view, knowledge, seed):
        del view, seed
        images = np.ones((knowledge.batch_size, *knowledge.model.input_shape))
        labels = np.zeros(knowledge.batch_size, np.int64)
        return prior_pictures.as_reconstruction(images, labels, "known", 0.0, "white")

    return attack


def here(name, **fields):
    return Entry(f"{__name__}:{name}", **fields)


def view(tiny):
    return victims.view_of(tiny, [np.ones(tiny.spec.size, np.float32)])


def test_importing_it_loads_nothing_heavy():
    program = (
        "import sys, attacks.catalog\n"
        "heavy = ('tensorflow', 'keras', 'tensorflow_federated', 'scipy')\n"
        "print(*[name for name in heavy if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("name", ATTACKS)
def test_every_builder_is_there(name):
    assert callable(pkgutil.resolve_name(ATTACKS[name].build))
    fields = knowledge.Knowledge.__dataclass_fields__.keys()
    assert ATTACKS[name].needs | ATTACKS[name].infers <= fields


def test_a_builder_gets_what_it_takes(tiny, tiny_knowledge):
    attacks = {"one": here("build_source_only")}
    attack = catalog.build("one", source=3, effort=QUICK, attacks=attacks)
    assert attack(view(tiny), tiny_knowledge, SEED) == {"source": 3}


def test_members_are_the_entries_that_cost_little():
    members = {name for name, entry in ATTACKS.items() if entry.is_member}
    assert {"dlg", "completion", "mean_picture", "quick_inversion"} <= members
    for name in set(ATTACKS) - members:
        entry = ATTACKS[name]
        assert entry.cost == "costly" or entry.envelope or entry.sees == "cohort"


def test_a_new_entry_is_a_member(tiny, tiny_knowledge):
    attacks = {
        "white": here("build_white"),
        "slow": here("build_white", cost="costly"),
        "strongest": ATTACKS["strongest"],
    }
    found = catalog.build("strongest", attacks=attacks)(
        view(tiny), tiny_knowledge, SEED
    )
    assert found.stop == "white" and found.choice.name == "white"
    assert [member.name for member in found.choice.members] == ["white"]


def test_a_member_does_not_repeat_another(tiny, tiny_knowledge, with_labels):
    attacks = {
        "guesser": here("build_white", infers=frozenset({"labels"})),
        "other": here("build_white"),
        "strongest": ATTACKS["strongest"],
    }
    strongest = catalog.build("strongest", attacks=attacks)
    for known, status in (
        (tiny_knowledge, "ok"),
        (with_labels(1), "does_not_apply"),
    ):
        guesser, other = strongest(view(tiny), known, SEED).choice.members
        assert (guesser.status, other.status) == (status, "ok")
        # By itself it is what its user asked for.
        catalog.build("guesser", attacks=attacks)(view(tiny), known, SEED)


@pytest.mark.parametrize(
    ("fields", "changes", "reason"),
    [
        ({"one_example": True}, {"batch_size": 2}, "`knowledge.batch_size` must be 1"),
        ({"needs": frozenset({"public_examples"})}, {}, "`knowledge.public_examples`"),
        (
            {"needs": frozenset({"earlier"})},
            {},
            "`knowledge.earlier` must be there .*several .*--attack_rounds",
        ),
        (
            {},
            {"local_training": LocalTraining(0.1, epochs=2)},
            "`knowledge.local_training` must be None",
        ),
    ],
)
def test_what_does_not_apply_says_why(tiny, fields, changes, reason):
    known = knowledge.Knowledge(tiny, **changes)
    entry = here("build_white", **fields)
    assert re.match(reason, catalog.why_not(entry, known))
    attack = catalog.build("white", attacks={"white": entry})
    with pytest.raises(knowledge.DoesNotApply, match=reason):
        attack(view(tiny), known, SEED)
    assert catalog.why_not(entry, knowledge.Knowledge(tiny)) is None or entry.needs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no_such",), "`name` must be one of"),
        (("completion", "naive"), "`mode` must be one of"),
    ],
)
def test_unknown_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        catalog.build(*arguments)
