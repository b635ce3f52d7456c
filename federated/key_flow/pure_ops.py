"""The operations that are known to be pure, by family: data, and why each is here.

A pure operation's outputs depend on its inputs and attributes alone, and it does nothing
else: it keeps no state, changes no input in place, reads no file, address or clock, runs
no function and no serialised graph, and tells nobody. Whatever is on no list of ours is
taken for the contrary of all that (`graph_taint.py`), so this list may be too short, but
must not be too long. An operation may be here if

- TensorFlow's registry says that it is stateless, and it has neither references,
  resources nor functions among its inputs, outputs and attributes (a test compares the
  list with the registry, and the analysis asks the registry again);
- ordinary models are made of it: layers, losses, optimisers and metrics of Keras and their
  gradients, or our own rounds (`tests/federated/key_flow/ordinary.py` traces them, and a
  slow test compares).

The second condition is what keeps the list short. A kernel may leave some of its output
unwritten, or read beyond an argument, and what stood in that memory may be a key. Nobody
can know of every kernel that it does not, so none is trusted that nobody needs. What is
here is swept on odd arguments (`tests/federated/key_flow/unwritten.py`), and our runtime
runs it where new memory is zeros and no freed key stays (`selenc_tf/lattice/memory.py`).

Some models need others, and are refused: `Cholesky`, `Svd`, `Eig`, `MatrixSolveLs`,
`RFFT*` and `IRFFT*` (spectrograms), `StatelessRandomBinomial` and `SparseSegment*Grad` do
not always write their outputs; `RaggedTensorToTensor`, `RaggedBincount` (text split in the
graph) and the gradients of `CropAndResize` read beyond arguments; `XlaDynamicUpdateSlice`
and Bessel functions nobody has looked at.

`unwritten.py` has what ordinary models need nevertheless, output by output, `beyond.py`
what they need although it reads beyond arguments. Gradients of convolutions
(`Conv2DBackpropFilter`, `DepthwiseConv2dNativeBackpropFilter`, ...) of no examples or no
channels write nothing, on one processor or another, and every model with a convolution
has them. They are here without that, for the memory that is zeros.
"""

_FAMILIES = {
    "array": """
        BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo
        ConcatOffset ConcatV2 ConjugateTranspose DepthToSpace EnsureShape
        ExpandDims ExtractImagePatches Fill Fingerprint GatherNd GatherV2
        Identity IdentityN InvertPermutation ListDiff LowerBound MatrixBandPart
        MatrixDiagPartV3 MatrixDiagV3 MatrixSetDiagV3 MirrorPad MirrorPadGrad
        OneHot OnesLike Pack Pad PadV2 PlaceholderWithDefault PreventGradient
        Rank Reshape ReverseV2 ScatterNd Shape ShapeN Size Slice SpaceToBatchND
        SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice
        StridedSliceGrad TensorScatterAdd TensorScatterSub TensorScatterUpdate
        Tile Transpose Unique Unpack UpperBound Where ZerosLike
    """,
    "math": """
        Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan
        Atan2 Atanh BatchMatMulV2 BatchMatMulV3 Bucketize Cast Ceil ClipByValue Complex
        ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum DenseBincount Digamma Div
        DivNoNan Equal Erf Erfc Erfinv EuclideanNorm Exp Expm1 Floor FloorDiv
        FloorMod Greater GreaterEqual Imag IsFinite IsInf IsNan Less LessEqual
        Lgamma LinSpace Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max
        Maximum Mean Min Minimum Mod Mul MulNoNan Neg NextAfter NotEqual Pow
        Prod Range Real RealDiv Reciprocal ReciprocalGrad Rint Round Rsqrt
        RsqrtGrad Select SelectV2 Sigmoid SigmoidGrad Sign Sin Sinh Sqrt
        SqrtGrad Square SquaredDifference Sub Sum Tan Tanh TanhGrad
        UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
        UnsortedSegmentSum Xdivy Xlog1py Xlogy
    """,
    "nn": """
        AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BiasAdd BiasAddGrad Conv2D
        Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2
        Conv3DBackpropInputV2 DepthwiseConv2dNative
        DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput
        Elu EluGrad FusedBatchNormGradV3 FusedBatchNormV3 InTopKV2 L2Loss
        LeakyRelu LeakyReluGrad LogSoftmax MaxPool MaxPool3D MaxPool3DGrad
        MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad Relu Relu6 Relu6Grad
        ReluGrad Selu SeluGrad Softmax SoftmaxCrossEntropyWithLogits Softplus
        SoftplusGrad Softsign SoftsignGrad SparseSoftmaxCrossEntropyWithLogits
        TopKV2
    """,
    "bitwise": """
        BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift PopulationCount
        RightShift
    """,
    "image": """
        HSVToRGB ImageProjectiveTransformV3 RGBToHSV ResizeBicubic
        ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad
        ResizeNearestNeighbor ResizeNearestNeighborGrad ScaleAndTranslate
        ScaleAndTranslateGrad
    """,
    "linalg": """
        Einsum LogMatrixDeterminant MatrixDeterminant MatrixInverse MatrixSolve
        MatrixTriangularSolve Qr SelfAdjointEigV2
    """,
    "string": """
        AsString EncodeBase64 ReduceJoin StaticRegexFullMatch StringFormat
        StringJoin StringLength StringToHashBucketFast Substr
    """,
    "sparse": """
        SparseToDense
    """,
    "list": """
        EmptyTensorList TensorListConcatV2 TensorListElementShape
        TensorListFromTensor TensorListGetItem TensorListLength
        TensorListPopBack TensorListPushBack TensorListReserve TensorListSetItem
        TensorListStack
    """,
    "ragged_conversion": """
        RaggedTensorFromVariant RaggedTensorToVariant
    """,
    "spectral": """
        FFT FFT2D IFFT IFFT2D
    """,
    "parsing": """
        DecodePaddedRaw DecodeRaw ParseTensor SerializeTensor StringToNumber
    """,
    "stateless_random": """
        StatelessMultinomial StatelessRandomGammaV3 StatelessRandomGetKeyCounter
        StatelessRandomNormalV2 StatelessRandomUniformFullIntV2
        StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle
        StatelessTruncatedNormalV2
    """,
    "manip": """
        Roll
    """,
    "optional": """
        OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone
    """,
    "control_flow": """
        Enter Exit LoopCond Merge NextIteration Switch
    """,
    "data_flow": """
        DynamicStitch
    """,
}

PURE_OPS = frozenset(name for names in _FAMILIES.values() for name in names.split())
"""Names of operations."""


def of_families(*names: str) -> frozenset[str]:
    """The operations of families of the list."""
    return frozenset(op for name in names for op in _FAMILIES[name].split())
