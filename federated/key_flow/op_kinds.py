"""What the analysis of key flow knows of TensorFlow's operations beside the pure ones.

Each set is closed: an operation that is in none of them, and is not pure, is taken for
one that brings in a key and hands out whatever it is given.
"""

import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import op_def_registry

from federated.key_flow import call_options
from federated.key_flow.pure_ops import PURE_OPS

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
IFS = frozenset({"If", "StatelessIf"})
CASES = frozenset({"Case", "StatelessCase"})
WHILES = frozenset({"While", "StatelessWhile"})
SWITCHES = frozenset({"Switch"})

WHOLE: Mapping[str, slice] = {
    **dict.fromkeys(
        "DatasetToSingleElement EnsureShape Enter Exit Identity NextIteration "
        "PlaceholderWithDefault StopGradient Switch".split(),
        slice(0, 1),
    ),
    "Merge": slice(None),
}
"""Operations that give out an input as it is, and which inputs that may be."""

ALWAYS_THE_SAME = frozenset({"EnsureShape", "Identity", "StopGradient"})
"""Of these, which give out the same input in every run, once and at one place."""

FIRST_COME = frozenset({"Merge"})
"""Operations that give out whichever input comes first."""

MOVES: Mapping[str, slice] = {
    **dict.fromkeys(
        "ExpandDims Gather GatherNd GatherV2 Reshape ReverseV2 Slice SplitV Squeeze "
        "StridedSlice TensorListConcatV2 "
        "TensorListFromTensor TensorListGetItem TensorListPopBack TensorListStack "
        "Tile Transpose Unpack".split(),
        slice(0, 1),
    ),
    "ConcatV2": slice(0, -1),
    "EmptyTensorList": slice(0, 0),
    "Pack": slice(None),
    "SelectV2": slice(1, 3),
    "Split": slice(1, 2),
    "TensorListPushBack": slice(0, 2),
    "TensorListReserve": slice(0, 0),
    "TensorListSetItem": slice(0, 3, 2),
}
"""Operations that move whole elements, and the inputs these come from. A place where
nothing was put holds an empty string or a zero. What serialises is not among them: it puts
octets of the caller's choice in front of what the cipher made, and a cipher whose sums are
longer than its uploads takes that for a sum."""

ELEMENTWISE = frozenset(
    (
        "Abs Add AddV2 BitwiseAnd BitwiseOr BitwiseXor Cast Ceil ClipByValue DivNoNan "
        "Equal Exp Floor FloorDiv FloorMod Greater GreaterEqual Invert IsFinite "
        "LeftShift Less LessEqual Log LogicalAnd LogicalNot LogicalOr Maximum Minimum "
        "Mul Neg NotEqual OnesLike Pow RealDiv Relu RightShift Round Rsqrt SelectV2 "
        "Sigmoid Sign Sqrt Square Sub Tanh ZerosLike"
    ).split()
)
"""Pure operations whose result has the (broadcast) shape of their inputs."""

# Drawing changes what is drawn next, and nothing else. (FixedUnigramCandidateSampler is
# not among them: it reads a file that an attribute names.)
RANDOM = frozenset(
    (
        "Multinomial RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt "
        "TruncatedNormal"
    ).split()
)

# Resources that live in the process of one party. Nothing here touches a file, and nothing
# goes on when its graph has ended: an iterator with a name, or one that somebody has to
# delete, would have threads that run the functions of its data set beside later graphs. Of
# one whose handle counts (V3) that is so if something holds the handle (`outliving.py`).
STATE = frozenset(
    (
        "AnonymousHashTable AnonymousIteratorV3 "
        "AnonymousMutableHashTable AnonymousRandomSeedGenerator "
        "AnonymousSeedGenerator AssignAddVariableOp AssignSubVariableOp "
        "AssignVariableOp DeleteIterator DeleteRandomSeedGenerator "
        "DeleteSeedGenerator DestroyResourceOp DisableCopyOnRead DummySeedGenerator "
        "HashTableV2 "
        "InitializeTableV2 IteratorGetNext IteratorGetNextAsOptional "
        "LookupTableExportV2 LookupTableFindV2 LookupTableImportV2 "
        "LookupTableInsertV2 LookupTableSizeV2 MakeIterator MutableHashTableV2 "
        "ReadVariableOp ResourceGather RngReadAndSkip RngSkip "
        "StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform "
        "StatefulUniformFullInt StatefulUniformInt VarHandleOp VarIsInitializedOp "
        "VariableShape"
    ).split()
)

_HANDLES = (types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE)


def keeps_handles(node: Any) -> bool:
    """Whether an operation has values that hold others, as of an iterator."""
    return any(
        attribute.type in _HANDLES
        or any(one in _HANDLES for one in attribute.list.type)
        for attribute in node.attr.values()
    )


# Data sets in memory, with or without functions. `MapAndBatchDataset` is not here: where
# its function fails for some elements it gives out places of a batch that nobody wrote.
DATASETS = frozenset(
    (
        "AssertCardinalityDataset BatchDataset BatchDatasetV2 ConcatenateDataset "
        "DatasetCardinality DatasetToSingleElement FilterDataset FinalizeDataset "
        "FlatMapDataset InterleaveDataset MapDataset ModelDataset OptionsDataset "
        "PaddedBatchDataset PaddedBatchDatasetV2 ParallelFilterDataset "
        "ParallelInterleaveDatasetV4 ParallelMapDataset ParallelMapDatasetV2 "
        "PrefetchDataset RangeDataset ReduceDataset RepeatDataset ScanDataset "
        "ShardDataset SkipDataset TakeDataset TakeWhileDataset TensorDataset "
        "TensorSliceDataset UnbatchDataset ZipDataset"
    ).split()
)

# What their functions give out is given to them again.
FED_BACK = frozenset({"ReduceDataset", "ScanDataset"})

# As before, but reading them changes what is read next.
STATEFUL_DATASETS = frozenset(
    (
        "RandomDataset RandomDatasetV2 ShuffleAndRepeatDataset "
        "ShuffleAndRepeatDatasetV2 ShuffleDataset ShuffleDatasetV2 ShuffleDatasetV3"
    ).split()
)


# With an empty file name they keep elements in memory, else in a file.
CACHES = frozenset({"CacheDataset", "CacheDatasetV2"})

LAZY = (DATASETS | STATEFUL_DATASETS | CACHES) - {
    "DatasetCardinality",
    "DatasetToSingleElement",
    "ReduceDataset",
}
"""Operations that make a data set and read nothing."""

# Say nothing but that a number is not finite; what is fed; what only waits; a constant.
HARMLESS = frozenset(
    (
        "CheckNumerics CheckNumericsV2 NoOp Placeholder PlaceholderV2 "
        "StatelessRandomGetAlg"
    ).split()
)

_AS_TEXT = frozenset({"AsString", "ParseTensor", "SerializeTensor", "StringFormat"})
"""Operations between values and how they are written."""

_LOCAL = re.compile(
    r"(/job:localhost|/replica:0|/task:0|/(device:)?(?i:cpu|gpu|xla_cpu|xla_gpu):(\d+|\*))*"
)


def is_pure(node: Any) -> bool:
    """Whether an operation is known to be pure: by our list and by the registry."""
    definition = op_def_registry.get(node.op)
    if node.op not in PURE_OPS or definition is None or definition.is_stateful:
        return False
    arguments = (*definition.input_arg, *definition.output_arg)
    # A resource is an address and a number of the process, of a variant its text may have
    # some, and it can be anything once it was bytes.
    kinds = (tf.resource, tf.variant) if node.op in _AS_TEXT else (tf.resource,)
    opaque = any(_is_handle(one, node, *kinds) for one in arguments)
    return not opaque and not functions_of(node)


def runs_as_written(node: Any) -> bool:
    """Whether a node is computed as it stands, in the process of the graph's party."""
    return is_local(node) and call_options.are_usual(node)


def is_local(node: Any) -> bool:
    """Whether a node is computed in the process of the graph's party."""
    return _LOCAL.fullmatch(node.device) is not None


def moves_strings(node: Any) -> bool:
    """Whether the elements that are moved are strings, each of them a whole message."""
    return _holds(node, tf.string)


def handle_outputs(node: Any) -> tuple[bool, ...]:
    """For each output argument, whether it may be a data set, an iterator, ..."""
    definition = op_def_registry.get(node.op)
    if definition is None:
        return (True,)
    kinds = (tf.resource, tf.variant)
    return tuple(_is_handle(one, node, *kinds) for one in definition.output_arg)


def touches_resources(node: Any) -> bool:
    """Whether a node takes something that lives beside the data flow."""
    definition = op_def_registry.get(node.op)
    if definition is None:
        return True
    named = {"shared_name", "container"} & {attr.name for attr in definition.attr}
    return bool(named) or any(
        argument.is_ref or _is_handle(argument, node, tf.resource)
        for argument in definition.input_arg
    )


def has_outputs(node: Any) -> bool:
    """Whether a node gives anything out."""
    definition = op_def_registry.get(node.op)
    return definition is None or bool(definition.output_arg)


def functions_of(node: Any) -> list[str]:
    """The names of all functions in a node's attributes."""
    names = []
    for attribute in node.attr.values():
        if attribute.WhichOneof("value") == "func":
            names.append(attribute.func.name)
        names.extend(function.name for function in attribute.list.func)
    return [name for name in names if name]


def captured(node: Any) -> slice:
    """Which inputs of a data set its only function gets behind the elements."""
    start = 0
    definition = op_def_registry.get(node.op)
    for argument in definition.input_arg if definition is not None else ():
        count = 1
        if argument.number_attr:
            count = node.attr[argument.number_attr].i
        elif argument.type_list_attr:
            count = len(node.attr[argument.type_list_attr].list.type)
        if argument.name == "other_arguments":
            return slice(start, start + count)
        start += count
    return slice(0, 0)


def _holds(node: Any, *dtypes: tf.DType) -> bool:
    """Whether the elements that a node works on are all of one of these types."""
    enums = {dtype.as_datatype_enum for dtype in dtypes}
    for name in ("T", "element_dtype", "out_type", "Tparams", "dtype", "output_types"):
        if name in node.attr:
            value = node.attr[name]
            found = {value.type} if value.type else set(value.list.type)
            return found <= enums
    return False


def _is_handle(argument: Any, node: Any, *kinds: tf.DType) -> bool:
    handles = {kind.as_datatype_enum for kind in kinds}
    if argument.type_attr:
        return node.attr[argument.type_attr].type in handles
    if argument.type_list_attr:
        return bool(handles & set(node.attr[argument.type_list_attr].list.type))
    return argument.type in handles
