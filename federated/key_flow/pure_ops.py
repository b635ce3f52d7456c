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
"""

_FAMILIES = {
    "array": """
        BatchMatrixBandPart BatchMatrixDiag BatchMatrixDiagPart
        BatchMatrixSetDiag BatchToSpace BatchToSpaceND Bitcast BroadcastArgs
        BroadcastGradientArgs BroadcastTo Concat ConcatOffset ConcatV2
        ConjugateTranspose DepthToSpace Diag DiagPart EditDistance EnsureShape
        ExpandDims ExtractImagePatches ExtractVolumePatches
        FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient
        FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsGradient
        FakeQuantWithMinMaxVarsPerChannel
        FakeQuantWithMinMaxVarsPerChannelGradient Fill Fingerprint Gather
        GatherNd GatherV2 Identity IdentityN InvertPermutation ListDiff
        LowerBound MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2
        MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2
        MatrixSetDiagV3 MirrorPad MirrorPadGrad OneHot OnesLike Pack Pad PadV2
        PlaceholderWithDefault PreventGradient QuantizeAndDequantize
        QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
        QuantizeAndDequantizeV4Grad Rank Reshape Reverse ReverseSequence
        ReverseV2 ScatterNd Shape ShapeN Size Slice SpaceToBatch
        SpaceToBatchND SpaceToDepth Split SplitV Squeeze StopGradient
        StridedSlice StridedSliceGrad TensorScatterAdd TensorScatterMax
        TensorScatterMin TensorScatterSub TensorScatterUpdate
        TensorStridedSliceUpdate Tile TileGrad Transpose Unique UniqueV2
        UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex UpperBound Where
        ZerosLike
    """,
    "math": """
        Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any
        ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh BatchMatMul
        BatchMatMulV2 BatchMatMulV3 Betainc Bincount Bucketize Cast Ceil
        ClipByValue Complex ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum
        CumulativeLogsumexp DenseBincount Digamma Div DivNoNan Equal Erf Erfc
        Erfinv EuclideanNorm Exp Expm1 Floor FloorDiv FloorMod Greater
        GreaterEqual HistogramFixedWidth Igamma IgammaGradA Igammac Imag Inv
        InvGrad IsFinite IsInf IsNan Less LessEqual Lgamma LinSpace Log Log1p
        LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mod
        Mul MulNoNan Ndtri Neg NextAfter NotEqual Polygamma Pow Prod
        RaggedBincount Range Real RealDiv Reciprocal ReciprocalGrad Rint Round
        Rsqrt RsqrtGrad SegmentMax SegmentMaxV2 SegmentMean SegmentMin
        SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select
        SelectV2 Sigmoid SigmoidGrad Sign Sin Sinh SobolSample SparseBincount
        SparseMatMul SparseSegmentMean SparseSegmentMeanGrad
        SparseSegmentMeanGradV2 SparseSegmentMeanWithNumSegments
        SparseSegmentSqrtN SparseSegmentSqrtNGrad SparseSegmentSqrtNGradV2
        SparseSegmentSqrtNWithNumSegments SparseSegmentSum SparseSegmentSumGrad
        SparseSegmentSumGradV2 SparseSegmentSumWithNumSegments Sqrt SqrtGrad
        Square SquaredDifference Sub Sum Tan Tanh TanhGrad TruncateDiv
        TruncateMod UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
        UnsortedSegmentSum Xdivy Xlog1py Xlogy Zeta
    """,
    "nn": """
        ApproxTopK AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad
        BatchNormWithGlobalNormalization BatchNormWithGlobalNormalizationGrad
        BiasAdd BiasAddGrad BiasAddV1 Conv Conv2D Conv2DBackpropFilter
        Conv2DBackpropFilterV2 Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D
        Conv3DBackpropFilter Conv3DBackpropFilterV2 Conv3DBackpropInput
        Conv3DBackpropInputV2 DataFormatDimMap DataFormatVecPermute
        DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter
        DepthwiseConv2dNativeBackpropInput Dilation2D Dilation2DBackpropFilter
        Dilation2DBackpropInput Elu EluGrad FractionalAvgPool
        FractionalAvgPoolGrad FractionalMaxPool FractionalMaxPoolGrad
        FusedBatchNorm FusedBatchNormGrad FusedBatchNormGradV2
        FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D
        FusedResizeAndPadConv2D InTopK InTopKV2 IsotonicRegression L2Loss LRN
        LRNGrad LeakyRelu LeakyReluGrad LogSoftmax MaxPool MaxPool3D
        MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad
        MaxPoolGradGradV2 MaxPoolGradGradWithArgmax MaxPoolGradV2
        MaxPoolGradWithArgmax MaxPoolV2 MaxPoolWithArgmax NthElement Relu Relu6
        Relu6Grad ReluGrad Selu SeluGrad Softmax SoftmaxCrossEntropyWithLogits
        Softplus SoftplusGrad Softsign SoftsignGrad
        SparseSoftmaxCrossEntropyWithLogits TopK TopKV2
    """,
    "bitwise": """
        BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift PopulationCount
        RightShift
    """,
    "image": """
        AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation
        CombinedNonMaxSuppression CropAndResize CropAndResizeGradBoxes
        CropAndResizeGradImage DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage
        DecodeJpeg DecodePng DecodeWebP DrawBoundingBoxes DrawBoundingBoxesV2
        EncodeJpeg EncodeJpegVariableQuality EncodePng ExtractGlimpse
        ExtractGlimpseV2 ExtractJpegShape GenerateBoundingBoxProposals HSVToRGB
        ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppression
        NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4
        NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps RGBToHSV ResizeArea
        ResizeBicubic ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad
        ResizeNearestNeighbor ResizeNearestNeighborGrad ScaleAndTranslate
        ScaleAndTranslateGrad StatelessSampleDistortedBoundingBox
    """,
    "linalg": """
        BandedTriangularSolve BatchCholesky BatchCholeskyGrad
        BatchMatrixDeterminant BatchMatrixInverse BatchMatrixSolve
        BatchMatrixSolveLs BatchMatrixTriangularSolve BatchSelfAdjointEig
        BatchSelfAdjointEigV2 BatchSvd Cholesky CholeskyGrad Eig Einsum
        LogMatrixDeterminant Lu MatrixDeterminant MatrixExponential
        MatrixInverse MatrixLogarithm MatrixSolve MatrixSolveLs MatrixSquareRoot
        MatrixTriangularSolve Qr SelfAdjointEig SelfAdjointEigV2 Svd
        TridiagonalMatMul TridiagonalSolve
    """,
    "string": """
        AsString DecodeBase64 EncodeBase64 ReduceJoin RegexFullMatch
        RegexReplace StaticRegexFullMatch StaticRegexReplace StringFormat
        StringJoin StringLength StringLower StringNGrams StringSplit
        StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast
        StringToHashBucketStrong StringUpper Substr UnicodeDecode
        UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode
        UnsortedSegmentJoin
    """,
    "sparse": """
        DeserializeManySparse DeserializeSparse SerializeManySparse
        SerializeSparse SparseAdd SparseAddGrad SparseConcat SparseCross
        SparseCrossHashed SparseCrossV2 SparseDenseCwiseAdd SparseDenseCwiseDiv
        SparseDenseCwiseMul SparseFillEmptyRows SparseFillEmptyRowsGrad
        SparseReduceMax SparseReduceMaxSparse SparseReduceSum
        SparseReduceSumSparse SparseReorder SparseReshape SparseSlice
        SparseSliceGrad SparseSoftmax SparseSparseMaximum SparseSparseMinimum
        SparseSplit SparseTensorDenseAdd SparseTensorDenseMatMul SparseToDense
    """,
    "list": """
        EmptyTensorList TensorListConcat TensorListConcatLists
        TensorListConcatV2 TensorListElementShape TensorListFromTensor
        TensorListGather TensorListGetItem TensorListLength TensorListPopBack
        TensorListPushBack TensorListPushBackBatch TensorListReserve
        TensorListResize TensorListScatter TensorListScatterIntoExistingList
        TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack
    """,
    "ragged_array": """
        RaggedCross RaggedFillEmptyRows RaggedFillEmptyRowsGrad RaggedGather
    """,
    "ragged_math": """
        RaggedRange
    """,
    "ragged_conversion": """
        RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
        RaggedTensorToVariant RaggedTensorToVariantGradient
    """,
    "spectral": """
        BatchFFT BatchFFT2D BatchFFT3D BatchIFFT BatchIFFT2D BatchIFFT3D FFT
        FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D
        IRFFTND RFFT RFFT2D RFFT3D RFFTND
    """,
    "parsing": """
        DecodeCSV DecodeCompressed DecodeJSONExample DecodePaddedRaw DecodeRaw
        ParseExample ParseExampleV2 ParseSequenceExample ParseSequenceExampleV2
        ParseSingleExample ParseSingleSequenceExample ParseTensor
        SerializeTensor StringToNumber
    """,
    "stateless_random": """
        StatelessMultinomial
        StatelessParameterizedTruncatedNormal StatelessRandomBinomial
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
        AudioSpectrogram BlockLSTM BlockLSTMGrad BlockLSTMGradV2 BlockLSTMV2
        CTCBeamSearchDecoder CTCGreedyDecoder CTCLoss CTCLossV2 DecodeWav
        DenseCountSparseOutput EncodeWav GRUBlockCell GRUBlockCellGrad
        LSTMBlockCell LSTMBlockCellGrad Mfcc RaggedCountSparseOutput
        RandomGammaGrad SparseCountSparseOutput
    """,
}

PURE_OPS = frozenset(name for names in _FAMILIES.values() for name in names.split())
"""Names of operations."""
