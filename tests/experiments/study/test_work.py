"""What is left of a run is what is not on record."""

from experiments.outputs.records import Cell, RoundKey
from experiments.study.tasks import Task
from experiments.study.work import Work

CELLS = tuple(
    Cell(
        dataset="made-up",
        model="tiny",
        metric="random",
        agreement="public_seed",
        encryption_ratio=ratio,
        release="server_blind",
        num_clients=1,
        seed=0,
    )
    for ratio in (0.0, 0.5)
)
TASKS = tuple(
    Task(cell, (3, 4), "dlg", mode, "client")
    for cell in CELLS
    for mode in ("naive", "mask_aware")
)
WHOLE = Work(CELLS, TASKS, rounds=2)


def test_a_piece_is_done_when_all_of_it_is():
    first_round = [RoundKey(CELLS[0], 1)]
    assert WHOLE.left(first_round) == WHOLE
    last_round = RoundKey(CELLS[0], 2)
    one, other = TASKS[0].keys()
    assert WHOLE.left([last_round, one]) == Work(CELLS[1:], TASKS, 2)
    assert WHOLE.left([last_round, one, other]) == Work(CELLS[1:], TASKS[1:], 2)


def test_it_is_said_how_much():
    some = [RoundKey(CELLS[0], 2), *TASKS[0].keys()]
    assert WHOLE.unfinished(some) == (
        "Unfinished: 1 of 2 trainings and 1 of 4 attacks are done."
    )
    every = [RoundKey(cell, 2) for cell in CELLS]
    every += [key for task in TASKS for key in task.keys()]
    assert WHOLE.unfinished(every) == ""
    alone = Work((), TASKS, 2)
    assert alone.unfinished([]) == "Unfinished: 0 of 4 attacks are done."
