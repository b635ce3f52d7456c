"""The operations that may stand in one graph with a secret: data, and why each is here.

A kernel that leaves an output unwritten or reads beyond an argument gives out what lies in
memory. While a graph runs that reads a key, encrypts or decrypts, secrets lie there. So
such a graph may be made of nothing but what our own rounds need there: they read a key,
choose, quantise and pack entries, encrypt, decrypt and check, and train elsewhere. The
list is of their graphs (`tests/federated/key_flow/test_own_processes.py` has them pass).

A data set of another graph may not come in either: its functions would run there.

What a trusted function of a cipher is made of does not count: it is compared whole.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tensorflow.core.framework import types_pb2

from federated.key_flow import op_kinds, pure_ops

_FAMILIES = {
    "control flow": """
        Assert Const EnsureShape Identity If NoOp PartitionedCall Placeholder
        PreventGradient StatefulPartitionedCall StatelessIf StatelessWhile StopGradient
        While
    """,
    "how a key file is read": """
        BatchDatasetV2 DatasetToSingleElement FlatMapDataset TFRecordDataset
        TFRecordDatasetV2 TakeDataset TensorSliceDataset
    """,
    "arrays": """
        ArgMax Bitcast BroadcastTo ConcatV2 Cumsum DenseBincount ExpandDims Fill GatherV2
        IdentityN Max Min Pack Pad Prod Range Reshape ScatterNd Shape Size Squeeze
        StridedSlice Sum Transpose Unpack UpperBound Where
    """,
    "elementwise": """
        Abs AddV2 All Any BitwiseAnd Cast Equal Floor FloorDiv FloorMod Greater
        GreaterEqual IsFinite Less LessEqual LogicalAnd LogicalNot LogicalOr Maximum
        Minimum Mul Neg NotEqual RealDiv RightShift Round SelectV2 Sign Sub
    """,
    "messages": """
        AsString DecodePaddedRaw DecodeRaw EncodeBase64 Fingerprint ParseTensor ReduceJoin
        SerializeTensor StaticRegexFullMatch StringJoin StringLength StringToNumber Substr
        TensorListConcatV2 TensorListFromTensor TensorListGetItem TensorListReserve
        TensorListSetItem TensorListStack
    """,
}

HAND_ON = frozenset(
    """
    EnsureShape Identity IdentityN NoOp PreventGradient StopGradient
    """.split()
)
"""The operations that may take a secret itself, beside calls and the cipher's functions.

Whatever else computes with one leaves pieces of it in memory: short ones (up to 1 KB) are
not overwritten when they are freed (`selenc_tf/lattice/memory.py`).
"""

_LAZY = (types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE)

BESIDE_SECRETS = frozenset(
    name for names in _FAMILIES.values() for name in names.split()
)
"""Names of operations."""

_SHORT = frozenset({"BatchToSpaceND"})
"""Of arrays: with crops that overflow it does not write all of its output."""

WHILE_SECRETS_WAIT: frozenset[str] = (
    BESIDE_SECRETS
    | op_kinds.CASES
    | op_kinds.HARMLESS
    | op_kinds.RANDOM
    | op_kinds.SWITCHES
    | pure_ops.of_families(
        "array", "bitwise", "list", "manip", "math", "stateless_random", "string"
    )
    | {"DynamicStitch", "Merge", "TopKV2"}
) - _SHORT
"""The operations that may run while a client keeps the secret of a message.

That lies in memory from its encryption until the cohort is announced, while others run
graphs of their own. So whatever comes after the first encryption may be made of nothing
but these: no layers of models, of whose kernels some read behind an argument or leave an
output unwritten. Training comes before.
"""


def strangers(
    nodes: Sequence[Any],
    functions: Mapping[str, Any],
    trusted: Collection[str],
    allowed: Collection[str] = BESIDE_SECRETS,
) -> Iterator[Any]:
    """The nodes of a graph, and of functions that it calls, that are not among them.

    Args:
      nodes: of the graph.
      functions: its library.
      trusted: the functions that are trusted as they are.
      allowed: the names of the others.
    """
    waiting, seen = [nodes], set(trusted)
    while waiting:
        for node in waiting.pop():
            called = [*op_kinds.functions_of(node)]
            if node.op in functions:
                called.append(node.op)
            elif node.op not in allowed or _comes_with_functions(node):
                yield node
            for name in called:
                if name in functions and name not in seen:
                    seen.add(name)
                    waiting.append(functions[name].node_def)


def _comes_with_functions(node: Any) -> bool:
    """Whether it is an argument whose elements another graph's functions make, here."""
    return node.op == "Placeholder" and node.attr["dtype"].type in _LAZY
