"""The operations that write all that they give out: data, and why each is here.

They are what training an ordinary model is made of, with our rounds and ciphers. Each
dense one is swept (`tests/federated/key_flow/test_unwritten.py`): run on odd arguments,
under two fills of new memory, it gave out the same. What is not here may be as good; it
only runs a little slower, in memory that is zeros (`memory.py`).

The sweep draws arguments of the dimensions that an operation is for. `MaxPool` and
`AvgPool` of five do not write all, with oneDNN: they are here for the speed of models
that have them, none of which does that, and docs/threat-model.md says so.
"""

_FAMILIES = {
    "control flow": """
        Assert Case Const EnsureShape Enter Exit Identity IdentityN If LoopCond Merge
        NextIteration NoOp OptionalGetValue OptionalHasValue PartitionedCall Placeholder
        PlaceholderWithDefault PreventGradient StatefulPartitionedCall StatelessCase
        StatelessIf StatelessWhile StopGradient Switch While
    """,
    "variables": """
        AssignAddVariableOp AssignSubVariableOp AssignVariableOp ReadVariableOp
        VarHandleOp VarIsInitializedOp VariableShape
    """,
    "data sets": """
        AnonymousIteratorV3 BatchDatasetV2 CacheDataset CacheDatasetV2
        ConcatenateDataset DatasetToSingleElement FilterDataset FinalizeDataset
        FlatMapDataset IteratorGetNext IteratorGetNextAsOptional MakeIterator MapDataset
        ModelDataset OptionsDataset ParallelMapDataset ParallelMapDatasetV2
        PrefetchDataset RangeDataset ReduceDataset RepeatDataset ShuffleDataset
        ShuffleDatasetV2 ShuffleDatasetV3 SkipDataset TakeDataset TensorDataset
        TensorSliceDataset ZipDataset
    """,
    "arrays": """
        ArgMax ArgMin Bitcast BroadcastGradientArgs BroadcastTo ConcatOffset ConcatV2
        Cumprod Cumsum DenseBincount DynamicStitch ExpandDims Fill GatherNd GatherV2
        InvertPermutation OneHot OnesLike Pack Pad PadV2 Range Rank Reshape ReverseV2
        Roll ScatterNd Shape ShapeN Size Slice Split SplitV Squeeze StridedSlice
        StridedSliceGrad Tile TopKV2 Transpose Unique Unpack Where ZerosLike
    """,
    "lists": """
        EmptyTensorList TensorListConcatV2 TensorListElementShape TensorListFromTensor
        TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
        TensorListReserve TensorListSetItem TensorListStack
    """,
    "elementwise": """
        Abs Add AddN AddV2 BitwiseAnd BitwiseOr BitwiseXor Cast Ceil ClipByValue Cos Div
        DivNoNan Equal Erf Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Invert
        IsFinite IsInf IsNan LeftShift Less LessEqual Log Log1p LogicalAnd LogicalNot
        LogicalOr Maximum Minimum Mod Mul MulNoNan Neg NotEqual PopulationCount Pow
        RealDiv Reciprocal ReciprocalGrad RightShift Rint Round Rsqrt RsqrtGrad Select
        SelectV2 Sigmoid SigmoidGrad Sign Sin Sqrt SqrtGrad Square SquaredDifference Sub
        Tanh TanhGrad Xdivy Xlogy
    """,
    "reductions and products": """
        All Any BatchMatMulV2 BatchMatMulV3 Einsum EuclideanNorm L2Loss MatMul Max Mean
        Min Prod Sum UnsortedSegmentSum
    """,
    "layers and losses": """
        AvgPool AvgPoolGrad BiasAdd BiasAddGrad Conv2D Conv2DBackpropFilter
        Conv2DBackpropInput Elu EluGrad FusedBatchNormGradV3 FusedBatchNormV3 LeakyRelu
        LeakyReluGrad LogSoftmax MaxPool MaxPoolGrad Relu Relu6 Relu6Grad ReluGrad Selu
        SeluGrad Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign
        SoftsignGrad SparseSoftmaxCrossEntropyWithLogits
    """,
    "random numbers": """
        RandomStandardNormal RandomUniform RandomUniformInt StatelessRandomGetKeyCounter
        StatelessRandomNormalV2 StatelessRandomUniformIntV2 StatelessRandomUniformV2
        StatelessTruncatedNormalV2 TruncatedNormal
    """,
    "octets": """
        AsString DecodePaddedRaw DecodeRaw EncodeBase64 Fingerprint ParseTensor
        RaggedTensorFromVariant RaggedTensorToVariant ReadFile ReduceJoin
        SerializeTensor StaticRegexFullMatch StringJoin StringLength StringToNumber
        Substr
    """,
    "ciphers": """
        AddCtCt64 ContextImport64 Decrypt64 Encrypt64 KeyGen64 ModulusReduceContext64
        ModulusReduceKey64 PolynomialImport64
    """,
}

WRITTEN = frozenset(name for names in _FAMILIES.values() for name in names.split())
"""Names of operations."""
