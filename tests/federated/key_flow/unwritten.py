"""Finds operations that do not write all that they give out.

Every operation is run twice on the same arguments, with another fill of new memory each
time (`M_PERTURB` of glibc): what differs was not written. Arguments are drawn from the
operation's definition, or from `unwritten_arguments.py` where drawn ones are seldom taken.
Operations may end the process: each family has one of its own, and goes on behind what
ended it.

    python -m tests.federated.key_flow.unwritten [--tries 60] [operation ...]
"""

import argparse
import ctypes
import dataclasses
import json
import multiprocessing
import os
import random
import resource
import sys
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context, execute
from tensorflow.python.framework import op_def_registry

from tests.federated.key_flow import unwritten_arguments

_M_PERTURB = -6
_FILLS = (0x5A, 0xA5)
_DEATHS = 3


@dataclasses.dataclass
class Outcome:
    """What a sweep showed of one operation.

    Attributes:
      accepted: how many of the drawn arguments it took.
      unwritten: its outputs that depended on the fill, and for which arguments.
      deaths: how often it ended the process or took too long.
    """

    accepted: int = 0
    unwritten: dict[str, str] = dataclasses.field(default_factory=dict)
    deaths: int = 0


def sweep(ops: Sequence[str], tries: int, seconds: int = 20) -> dict[str, Outcome]:
    """Runs each operation on so many drawn arguments.

    Args:
      ops: names of operations.
      tries: for each of them.
      seconds: that a single call may take, and the beginning of the first one.

    Returns:
      For each name what was found. A process that has already run an operation should
      not call this, since it forks.
    """
    outcomes = {op: Outcome() for op in ops}
    work = [(op, number) for op in ops for number in range(tries)]
    while work:
        parent, child = multiprocessing.get_context("fork").Pipe()
        worker = multiprocessing.get_context("fork").Process(
            target=_run, args=(work, child)
        )
        worker.start()
        child.close()
        place = 0
        while place < len(work) and parent.poll(seconds):
            try:
                taken, found = parent.recv()
            except EOFError:
                break
            outcome = outcomes[work[place][0]]
            outcome.accepted += taken
            outcome.unwritten = {**found, **outcome.unwritten}
            place += 1
        worker.kill()
        worker.join()
        if place < len(work):
            op = work[place][0]
            outcomes[op].deaths += 1
            place += 1
            while (
                outcomes[op].deaths >= _DEATHS and work[place:] and work[place][0] == op
            ):
                place += 1
        work = work[place:]
    return outcomes


def _run(work: Sequence[tuple[str, int]], pipe: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for op, number in work:
        pipe.send(compare(op, number))
    pipe.recv()


def compare(op: str, number: int) -> tuple[bool, dict[str, str]]:
    """Runs an operation on the arguments of this number.

    Returns:
      Whether they were taken, and the outputs that were not written, with the arguments.
    """
    draw = unwritten_arguments.Draw(random.Random(f"{op} {number}"))
    try:
        call = draw.call(op_def_registry.get(op))
        results = [_outputs(op, call, fill) for fill in _FILLS]
    except (tf.errors.OpError, TypeError, ValueError, OverflowError, MemoryError):
        return False, {}
    except unwritten_arguments.Unknown:
        return False, {}
    said = repr(
        {**call.shown, **dict(zip(call.attrs[::2], call.attrs[1::2], strict=True))}
    )
    found = {name: said for name in results[0] if results[0][name] != results[1][name]}
    return True, found


def _outputs(op: str, call: Any, fill: int) -> dict[str, bytes]:
    """The octets of the outputs, where new memory has this fill."""
    if op_def_registry.get(op).is_stateful:
        context.context().clear_kernel_cache()  # It starts at its seed again.
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_M_PERTURB, fill)
    try:
        outputs = execute.execute(
            op, call.num_outputs, call.inputs, call.attrs, context.context()
        )
        outputs = [_read(tensor) for tensor in outputs]
    finally:
        mallopt(_M_PERTURB, 0)
    return {
        name: np.ascontiguousarray(tensor.numpy()).tobytes()
        if tensor.dtype != tf.string
        else repr(np.asarray(tensor.numpy())).encode()
        for name, tensor in zip(call.names, outputs, strict=True)
        if tensor.dtype not in (tf.variant, tf.resource)
    }


def _read(tensor: tf.Tensor) -> tf.Tensor:
    """What is in a list, if this is one."""
    for dtype in (tf.float32, tf.int64):
        try:
            if tensor.dtype == tf.variant:
                return tf.raw_ops.TensorListStack(
                    input_handle=tensor, element_shape=[20], element_dtype=dtype
                )
        except tf.errors.OpError:
            pass
    return tensor


def main() -> None:
    """Prints what a sweep showed, a line of JSON for each operation."""
    from federated.key_flow import op_kinds, pure_ops

    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=60)
    parser.add_argument("ops", nargs="*")
    arguments = parser.parse_args()
    ops = arguments.ops or sorted(pure_ops.PURE_OPS | op_kinds.RANDOM)
    for op, outcome in sweep(ops, arguments.tries).items():
        print(json.dumps({"op": op, **dataclasses.asdict(outcome)}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
