"""Runs TensorFlow Federated computations inside this Python process.

TFF's own runtime is a separate worker process with a TensorFlow of its own; it does not
know the custom ops (tf-shell's lattice ciphers) that this process has registered. The
context below executes the same computations here:

    computation(argument)
        -> compiled once a computation             (`interpreter.py`)
        -> argument checked and converted           (`arguments.py`)
        -> blocks and intrinsics evaluated           (`interpreter.py`, `intrinsics.py`)
        -> each graph one imported eager function     (`graph_import.py`)
        -> crossings between the parties observed     (`tap.py`)
        -> graphs timed, if somebody asks              (`timing.py`)
        -> result in the type's Python containers      (`results.py`)

All parties are in one process: this simulates a federation, it does not separate it.
"""

import asyncio
import functools
import hashlib
import itertools
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from federated.runtime import errors
from federated.runtime.arguments import cardinalities_of, from_python
from federated.runtime.graph_import import GraphFunction, import_graph
from federated.runtime.interpreter import Program, compile_computation
from federated.runtime.intrinsics import Run
from federated.runtime.placed_values import Function
from federated.runtime.results import to_python
from federated.runtime.tap import Observer, Tap
from federated.runtime.timing import Timer
from selenc_tf.lattice import memory


class InProcessContext(tff.framework.SyncContext):
    """A TFF context that executes computations in this process.

    Install it with `install`, or for a while with TFF's context stack:
    `with tff.framework.get_context_stack().install(context): ...`.

    Computations are compiled at their first call and graphs imported at theirs; both
    are kept for as long as the computation object lives. A context may be used from
    several threads.

    Attributes:
      compile_count: how many computations were compiled so far.
      import_count: how many TensorFlow graphs were imported so far.
    """

    def __init__(
        self,
        observers: Iterable[Observer] = (),
        *,
        default_num_clients: int = 0,
        timer: Timer | None = None,
    ):
        """Makes a context.

        Args:
          observers: called with every value that crosses between the parties, in
            order. Without observers nothing is measured or converted.
          default_num_clients: size of the cohort for computations whose argument does
            not fix it.
          timer: is told how long each graph took, see `timing`.
        """
        super().__init__()
        self._timer = timer
        self._observers = tuple(observers)
        self._default_num_clients = default_num_clients
        self._rounds = itertools.count()
        self._tokens = itertools.count()
        self._token_prefix = uuid.uuid4().hex
        self._lock = threading.RLock()
        # Keyed by identity: hashing a computation would serialise it at every call.
        self._programs: dict[int, tuple[weakref.ref[Any], Program]] = {}
        self._graphs: weakref.WeakValueDictionary[bytes, _LazyGraph] = (
            weakref.WeakValueDictionary()
        )
        self.compile_count = 0
        self.import_count = 0

    def invoke(self, comp: Any, arg: Any) -> Any:
        """Executes a computation; TFF calls this when a computation is called.

        Args:
          comp: the `tff.framework.ConcreteComputation`.
          arg: its argument, None if it has no parameter.

        Returns:
          The result (see `results.to_python`).

        Raises:
          TypeError: if the argument does not have the parameter's type.
          ValueError: if parts of the argument disagree on the number of clients.
          UnsupportedIntrinsicError: if an intrinsic cannot be executed here.
          UnsupportedBlockError: if a local computation cannot be executed here.
          RuntimeError: if called while a TensorFlow graph is being built.
          tf.errors.OpError: if a graph fails; of a check inside it, the sentence.
        """
        try:
            return self._invoke(comp, arg)
        except tf.errors.OpError as error:
            plain = errors.plainly(error)
            raise plain from (None if plain is not error else error.__cause__)

    def _invoke(self, comp: Any, arg: Any) -> Any:
        with tf.init_scope(), memory.zeroed():
            if not tf.executing_eagerly():
                raise RuntimeError(
                    "Expected eager execution to invoke a TFF computation; found a "
                    "`tf.Graph` being built. Call the computation outside of it."
                )
            parameter = comp.type_signature.parameter
            cardinalities = cardinalities_of(arg, parameter)
            run = Run(
                num_clients=cardinalities.get(tff.CLIENTS, self._default_num_clients),
                tap=Tap(self._observers, self._next_round) if self._observers else None,
                session_token=self._next_token,
                timer=self._timer,
            )
            argument = None
            if parameter is not None:
                argument = from_python(
                    arg,
                    parameter,
                    run.num_clients,
                    functools.partial(self._function, run),
                )
            result = self._function(run, comp)(argument)
            return to_python(result, comp.type_signature.result)

    def _function(self, run: Run, comp: Any) -> Function:
        """A computation as a callable of this run."""
        return self._program(comp)({}, run)

    def _program(self, comp: Any) -> Program:
        """The computation compiled, from the cache if it was seen before."""
        key = id(comp)
        with self._lock:
            known = self._programs.get(key)
            if known is not None and known[0]() is comp:
                return known[1]
            program = compile_computation(comp, self._load_graph)
            self.compile_count += 1
            forget = functools.partial(_forget, weakref.ref(self), key)
            self._programs[key] = (weakref.ref(comp, forget), program)
            return program

    def drop_program(self, key: int, dead: "weakref.ref[Any]") -> None:
        """Forgets the program of a computation object that no longer exists."""
        with self._lock:
            known = self._programs.get(key)
            # Another computation may have got the same id since.
            if known is not None and known[0] is dead:
                del self._programs[key]

    def _load_graph(self, block: Any) -> Callable[[], GraphFunction]:
        """The graph of a block; blocks of equal content share one."""
        content = block.proto.SerializeToString(deterministic=True)
        digest = hashlib.sha256(content).digest()
        with self._lock:
            graph = self._graphs.get(digest)
            if graph is None:
                graph = _LazyGraph(
                    functools.partial(import_graph, block.proto, block.type_signature),
                    self._count_import,
                )
                self._graphs[digest] = graph
            return graph

    def _count_import(self) -> None:
        with self._lock:
            self.import_count += 1

    def _next_round(self) -> int:
        return next(self._rounds)

    def _next_token(self) -> str:
        return f"{self._token_prefix}-{next(self._tokens)}"


class _AsyncContext(tff.framework.AsyncContext):
    """An in-process context whose calls are awaited; see `as_async`."""

    def __init__(self, context: InProcessContext) -> None:
        """Wraps a context."""
        super().__init__()
        self._context = context

    async def invoke(self, comp: Any, arg: Any) -> Any:
        """Executes a computation in a thread, so that the event loop goes on."""
        if asyncio.iscoroutine(arg):
            arg = await arg
        return await asyncio.to_thread(self._context.invoke, comp, arg)


def as_async(context: InProcessContext) -> tff.framework.AsyncContext:
    """An asynchronous view of a context, for `tff.program.NativeFederatedContext`."""
    return _AsyncContext(context)


class _LazyGraph:
    """Imports a graph at its first call."""

    def __init__(self, load: Callable[[], GraphFunction], on_load: Callable[[], None]):
        """Takes what imports the graph, and what to call after it did."""
        self._load: Callable[[], GraphFunction] | None = load
        self._on_load = on_load
        self._lock = threading.Lock()
        self._graph: GraphFunction | None = None

    def __call__(self) -> GraphFunction:
        if self._graph is None:
            with self._lock:
                if self._graph is None and self._load is not None:
                    graph = self._load()
                    self._on_load()
                    # The serialised graph is of no more use.
                    self._graph, self._load = graph, None
        assert self._graph is not None
        return self._graph


def _forget(
    context: "weakref.ref[InProcessContext]", key: int, dead: "weakref.ref[Any]"
) -> None:
    """Drops the program of a computation that was garbage collected."""
    owner = context()
    if owner is not None:
        owner.drop_program(key, dead)


def install(
    observers: Iterable[Observer] = (), *, timer: Timer | None = None
) -> InProcessContext:
    """Makes a new in-process context TFF's default context.

    Args:
      observers: called with every value that crosses between the parties.
      timer: is told how long each graph took.

    Returns:
      The installed context.
    """
    context = InProcessContext(observers, timer=timer)
    tff.framework.set_default_context(context)
    return context


def install_if_none() -> None:
    """Installs a context where TFF's own is: its worker knows none of our ciphers."""
    current = tff.framework.get_context_stack().current
    if type(current) is tff.framework.SyncExecutionContext:
        install()
