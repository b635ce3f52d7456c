"""Compiles a TFF computation once into Python closures that evaluate it.

    TFF computation
        -> means, sums and arithmetic written out as aggregations   (TFF's own pass)
        -> call-dominant form: every call is a local of one block     (TFF's own pass)
        -> a closure for each building block                             (here)

Evaluating a program then costs one Python call for each block; a block's locals are
evaluated once and in order. A TensorFlow graph is imported when it is first called, so
that functions which never run (the `merge` of an aggregation) cost nothing.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from federated.runtime.graph_import import GraphFunction
from federated.runtime.intrinsics import Run, call_intrinsic
from federated.runtime.placed_values import Function, UnsupportedBlockError, Value
from federated.runtime.sequences import tf_dtype
from federated.runtime.timing import timed

Scope = Mapping[str, Value]
Program = Callable[[Scope, Run], Value]

# From a compiled block to a thunk that imports its graph at the first call.
GraphLoader = Callable[[Any], Callable[[], GraphFunction]]


def compile_computation(
    computation: tff.framework.ConcreteComputation, load_graph: GraphLoader
) -> Program:
    """Compiles a computation.

    Args:
      computation: any TFF computation.
      load_graph: gives the function of a TensorFlow block.

    Returns:
      A program; evaluated in an empty scope it gives the computation as a function.

    Raises:
      UnsupportedBlockError: if the computation holds a block that cannot be run.
    """
    return _compile(native_form(computation), load_graph)


def native_form(computation: Any) -> Any:
    """The form in which computations are run, and in which their key flow is analysed.

    Args:
      computation: a TFF computation.

    Returns:
      Its building block, intrinsics replaced by their bodies where TFF has some, in
      call-dominant form where that exists: some functional arguments have none, and
      every well-typed block can be run.
    """
    block, _ = tff.tensorflow.replace_intrinsics_with_bodies(
        computation.to_building_block()
    )
    with contextlib.suppress(ValueError):
        block = tff.framework.to_call_dominant(block)
    return block


def _compile(block: Any, load: GraphLoader) -> Program:
    """The program of one building block."""
    match block:
        case tff.framework.Reference():
            name = block.name
            return lambda scope, run: scope[name]
        case tff.framework.CompiledComputation():
            return _compile_graph(block, load)
        case tff.framework.Call():
            return _compile_call(block, load)
        case tff.framework.Struct():
            parts = [_compile(part, load) for part in block]
            return lambda scope, run: tuple(part(scope, run) for part in parts)
        case tff.framework.Selection():
            source, index = _compile(block.source, load), block.as_index()
            return lambda scope, run: source(scope, run)[index]
        case tff.framework.Lambda():
            return _compile_lambda(block, load)
        case tff.framework.Block():
            return _compile_locals(block, load)
        case tff.framework.Intrinsic():
            return _compile_intrinsic(block)
        case tff.framework.Literal():
            return _compile_literal(block)
        case tff.framework.Placement():
            uri = block.uri
            return lambda scope, run: uri
        case tff.framework.Data():
            raise UnsupportedBlockError(
                f"Expected a computation without `tff.framework.Data`; found data of "
                f"type {block.type_signature}, which this runtime cannot fetch. Pass "
                "the data as an argument."
            )
        case _:
            raise UnsupportedBlockError(
                "Expected a computation of TFF 0.87's building blocks; found a "
                f"`{type(block).__name__}`. Rebuild the computation with TFF 0.87."
            )


def _compile_graph(block: Any, load: GraphLoader) -> Program:
    kind = block.proto.WhichOneof("computation")
    if kind != "tensorflow":
        raise UnsupportedBlockError(
            f"Expected local computations in TensorFlow; found one of kind {kind!r} "
            f"and type {block.type_signature}. Write a `tff.tensorflow.computation`."
        )
    graph = load(block)

    def program(scope: Scope, run: Run) -> Value:
        del scope

        def call(argument: Value) -> Value:
            function = graph()
            if run.timer is None:
                return function(argument, run.session_token)
            return timed(function, argument, run.session_token, run.timer)

        return call

    return program


def _compile_call(block: Any, load: GraphLoader) -> Program:
    function = _compile(block.function, load)
    if block.argument is None:
        return lambda scope, run: function(scope, run)(None)
    argument = _compile(block.argument, load)
    return lambda scope, run: function(scope, run)(argument(scope, run))


def _compile_lambda(block: Any, load: GraphLoader) -> Program:
    body, name = _compile(block.result, load), block.parameter_name

    def program(scope: Scope, run: Run) -> Function:
        if name is None:
            return lambda argument: body(scope, run)
        return lambda argument: body({**scope, name: argument}, run)

    return program


def _compile_locals(block: Any, load: GraphLoader) -> Program:
    bindings = [(name, _compile(value, load)) for name, value in block.locals]
    result = _compile(block.result, load)

    def program(scope: Scope, run: Run) -> Value:
        inner = dict(scope)
        for name, value in bindings:
            # A fresh scope for closures: a later local may shadow an earlier one.
            inner = {**inner, name: value(inner, run)}
        return result(inner, run)

    return program


def _compile_intrinsic(block: Any) -> Program:
    uri, type_spec = block.uri, block.type_signature
    if not isinstance(type_spec, tff.FunctionType):
        # `generic_zero` alone is a value and not a function.
        return lambda scope, run: call_intrinsic(run, uri, type_spec, None)
    return lambda scope, run: (
        lambda argument: call_intrinsic(run, uri, type_spec, argument)
    )


def _compile_literal(block: Any) -> Program:
    tensor = tf.constant(block.value, tf_dtype(block.type_signature))
    return lambda scope, run: tensor
