"""The operations that are known to be pure, by family: data, and why each is here.

A pure operation's outputs depend on its inputs and attributes alone, and it does nothing
else: it keeps no state, changes no input in place, reads no file, address or clock, runs
no function and no serialised graph, and tells nobody. Whatever is on no list of ours is
taken for the contrary of all that (`graph_taint.py`), so this list may be too short, but
must not be too long. An operation may be here if

- TensorFlow's registry says that it is stateless, and it has neither references,
  resources nor functions among its inputs, outputs and attributes (a test compares the
  list with the registry, and the analysis asks the registry again);
- it computes with arrays: the families below are TensorFlow's own source files.

Left out although they are "stateless": `InplaceUpdate` and its like (change their input),
`ParallelConcat` (its parts do), `ImmutableConst`, `ReadFile`, `MatchingFiles` and
`EncodeProto` (files), `DatasetFromGraph` and `RemoteFusedGraphExecute` (serialised graphs),
`Copy` and `Debug*` (addresses), `Send` and `Recv`, quantised kernels and those of single
accelerators (nobody needed them).

Some kernels do not write all that they give out, for odd arguments, and what stood in that
memory before may be a key. A sweep finds them (`tests/federated/key_flow/unwritten.py`).
Left out for that:

- `MatrixSolveLs` (of no equations), `RFFT*` and `IRFFT*` (of nothing), `Svd` and `Eig`
  (of vectors not asked for), `Cholesky` (of what has none), `SparseSegment*Grad` (of no
  segments), `StatelessRandomBinomial` (of NaN), `BlockLSTM*` (beyond the last step),
  `TensorListConcat` (of empty places), `TensorListScatterIntoExistingList`,
  `FusedBatchNorm` in its first version;
- what no kernel here computes or the sweep could not show, and no model needs: `Batch*` of
  linear algebra and spectra, `FFTND` and its like, decoders of images, old parsers.

Others read behind an argument that is shorter than another one says, and compute with
memory of somebody else: `RaggedTensorToTensor`, `RaggedBincount`, the gradients of
`CropAndResize`; `beyond.py` has what ordinary models need of that kind. Nothing here finds
more of them but trying.

`unwritten.py` has what ordinary models need nevertheless, output by output. Two are here
without that: `DepthwiseConv2dNativeBackpropFilter` of no examples and
`DepthwiseConv2dNativeBackpropInput` of no channels write nothing either, but the gradient
of a last batch may be the one or the other. There the in-process runtime fills new memory
(`federated/runtime/memory.py`).
"""

_FAMILIES = {
    "array": """
        BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs
        BroadcastTo Concat ConcatOffset ConcatV2 ConjugateTranspose DepthToSpace
        Diag DiagPart EditDistance EnsureShape ExpandDims ExtractImagePatches
        ExtractVolumePatches FakeQuantWithMinMaxArgs
        FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVars
        FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannel
        FakeQuantWithMinMaxVarsPerChannelGradient Fill Fingerprint Gather
        GatherNd GatherV2 Identity IdentityN InvertPermutation ListDiff
        LowerBound MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2
        MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2
        MatrixSetDiagV3 MirrorPad MirrorPadGrad OneHot OnesLike Pack Pad PadV2
        PlaceholderWithDefault PreventGradient QuantizeAndDequantizeV2
        QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
        QuantizeAndDequantizeV4Grad Rank Reshape Reverse ReverseSequence
        ReverseV2 ScatterNd Shape ShapeN Size Slice SpaceToBatch SpaceToBatchND
        SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice
        StridedSliceGrad TensorScatterAdd TensorScatterMax TensorScatterMin
        TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile
        Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack
        UnravelIndex UpperBound Where ZerosLike
    """,
    "math": """
        Abs Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual ArgMax
        ArgMin Asin Asinh Atan Atan2 Atanh BatchMatMul BatchMatMulV2
        BatchMatMulV3 Betainc Bincount Bucketize Cast Ceil ClipByValue Complex
        ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp
        DenseBincount Digamma Div DivNoNan Equal Erf Erfc Erfinv EuclideanNorm
        Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual
        HistogramFixedWidth Igamma IgammaGradA Igammac Imag Inv InvGrad IsFinite
        IsInf IsNan Less LessEqual Lgamma LinSpace Log Log1p LogicalAnd
        LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mod Mul
        MulNoNan Ndtri Neg NextAfter NotEqual Polygamma Pow Prod
        Range Real RealDiv Reciprocal ReciprocalGrad Rint Round Rsqrt RsqrtGrad
        SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Select SelectV2
        Sigmoid SigmoidGrad Sign Sin Sinh SobolSample SparseBincount
        SparseMatMul SparseSegmentMean SparseSegmentMeanGradV2
        SparseSegmentMeanWithNumSegments SparseSegmentSqrtN
        SparseSegmentSqrtNGradV2 SparseSegmentSqrtNWithNumSegments
        SparseSegmentSum SparseSegmentSumGradV2 SparseSegmentSumWithNumSegments
        Sqrt SqrtGrad Square SquaredDifference Sub Sum Tan Tanh TanhGrad
        TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin
        UnsortedSegmentProd UnsortedSegmentSum Xdivy Xlog1py Xlogy Zeta
    """,
    "nn": """
        ApproxTopK AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BiasAdd
        BiasAddGrad BiasAddV1 Conv Conv2D Conv2DBackpropFilter
        Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2 Conv3DBackpropInputV2
        DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative
        DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput
        Dilation2D Dilation2DBackpropFilter Dilation2DBackpropInput Elu EluGrad
        FractionalAvgPool FractionalAvgPoolGrad FractionalMaxPool
        FractionalMaxPoolGrad FusedBatchNormGradV2 FusedBatchNormGradV3
        FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D
        InTopK InTopKV2 IsotonicRegression L2Loss LRN LRNGrad LeakyRelu
        LeakyReluGrad LogSoftmax MaxPool MaxPool3D MaxPool3DGrad
        MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad MaxPoolGradGradV2
        MaxPoolGradV2 MaxPoolGradWithArgmax MaxPoolV2 MaxPoolWithArgmax
        NthElement Relu Relu6 Relu6Grad ReluGrad Selu SeluGrad Softmax
        SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign
        SoftsignGrad SparseSoftmaxCrossEntropyWithLogits TopKV2
    """,
    "bitwise": """
        BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift PopulationCount
        RightShift
    """,
    "image": """
        AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression
        CropAndResize
        DrawBoundingBoxes DrawBoundingBoxesV2 EncodePng HSVToRGB
        ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppression
        NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4
        NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps RGBToHSV ResizeArea
        ResizeBicubic ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad
        ResizeNearestNeighbor ResizeNearestNeighborGrad ScaleAndTranslate
        ScaleAndTranslateGrad StatelessSampleDistortedBoundingBox
    """,
    "linalg": """
        BandedTriangularSolve Einsum LogMatrixDeterminant Lu MatrixDeterminant
        MatrixInverse MatrixLogarithm MatrixSolve MatrixSquareRoot
        MatrixTriangularSolve Qr SelfAdjointEigV2 TridiagonalMatMul
        TridiagonalSolve
    """,
    "string": """
        AsString DecodeBase64 EncodeBase64 ReduceJoin RegexFullMatch
        RegexReplace StaticRegexFullMatch StaticRegexReplace StringFormat
        StringJoin StringLength StringLower StringNGrams StringSplit
        StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast
        StringToHashBucketStrong StringUpper Substr UnicodeDecode UnicodeEncode
        UnicodeScript UnicodeTranscode UnsortedSegmentJoin
    """,
    "sparse": """
        SerializeManySparse SerializeSparse SparseAdd SparseAddGrad SparseConcat
        SparseCross SparseCrossHashed SparseDenseCwiseAdd SparseDenseCwiseDiv
        SparseDenseCwiseMul SparseFillEmptyRows SparseFillEmptyRowsGrad
        SparseReduceMax SparseReduceMaxSparse SparseReduceSum
        SparseReduceSumSparse SparseReorder SparseReshape SparseSlice
        SparseSliceGrad SparseSoftmax SparseSparseMaximum SparseSparseMinimum
        SparseSplit SparseTensorDenseAdd SparseTensorDenseMatMul SparseToDense
    """,
    "list": """
        EmptyTensorList TensorListConcatLists TensorListConcatV2
        TensorListElementShape TensorListFromTensor TensorListGather
        TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
        TensorListReserve TensorListResize TensorListScatter TensorListScatterV2
        TensorListSetItem TensorListStack
    """,
    "ragged_array": """
        RaggedFillEmptyRows RaggedFillEmptyRowsGrad RaggedGather
    """,
    "ragged_math": """
        RaggedRange
    """,
    "ragged_conversion": """
        RaggedTensorFromVariant RaggedTensorToSparse
        RaggedTensorToVariant
    """,
    "spectral": """
        FFT FFT2D FFT3D IFFT IFFT2D IFFT3D
    """,
    "parsing": """
        DecodeCSV DecodeCompressed DecodeJSONExample DecodePaddedRaw DecodeRaw
        ParseTensor SerializeTensor StringToNumber
    """,
    "stateless_random": """
        StatelessMultinomial StatelessParameterizedTruncatedNormal
        StatelessRandomGammaV2 StatelessRandomGammaV3
        StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
        StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
        StatelessRandomUniform StatelessRandomUniformFullInt
        StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
        StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle
        StatelessTruncatedNormal StatelessTruncatedNormalV2
    """,
    "set": """
        DenseToDenseSetOperation DenseToSparseSetOperation SetSize
        SparseToSparseSetOperation
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
        DynamicPartition DynamicStitch ParallelDynamicStitch
    """,
    "functional": """
        ToBool
    """,
    "others": """
        AudioSpectrogram CTCBeamSearchDecoder CTCGreedyDecoder CTCLoss
        DenseCountSparseOutput EncodeWav GRUBlockCell GRUBlockCellGrad
        LSTMBlockCell LSTMBlockCellGrad Mfcc RaggedCountSparseOutput
        RandomGammaGrad SparseCountSparseOutput
    """,
}

PURE_OPS = frozenset(name for names in _FAMILIES.values() for name in names.split())
"""Names of operations."""
