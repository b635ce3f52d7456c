"""The lists of operations have what ordinary models need, and little else."""

import pytest

from federated.key_flow import pure_ops
from federated.key_flow.pure_ops import PURE_OPS
from tests.federated.key_flow import ordinary

# In functions of `keras.ops` that layers seldom call; why is in `pure_ops.py`.
REFUSED = {"BesselI0", "BesselI1", "Cholesky", "Eig", "IRFFT", "RFFT", "Svd"}
REFUSED |= {"XlaDynamicUpdateSlice"}

OTHERS = {
    "our messages and TFF's": """
        DecodePaddedRaw DecodeRaw EncodeBase64 Fingerprint ParseTensor PopulationCount
        RaggedTensorFromVariant RaggedTensorToVariant ReduceJoin SerializeTensor
        StaticRegexFullMatch StringFormat StringJoin StringLength StringToNumber Substr
        TensorListConcatV2
    """,
    "models of other versions of Keras": """
        Add BatchMatMulV3 Div Enter Exit FusedBatchNormGradV3 FusedBatchNormV3 LoopCond
        Merge NextIteration PlaceholderWithDefault PreventGradient Rank
        SoftmaxCrossEntropyWithLogits SparseToDense Switch
    """,
    "loops over data sets, and dropout that draws anew for every step": """
        OptionalHasValue StatelessRandomUniformFullIntV2
    """,
    "functions of `keras.ops` and `keras.random` on other arguments, and gradients": """
        ComplexAbs Conj ConjugateTranspose DepthToSpace Digamma Einsum FFT FFT2D
        GatherNd IFFT IFFT2D Lgamma LinSpace LowerBound MatrixSolve MaxPool3DGradGrad
        MaxPoolGradGrad MirrorPad MirrorPadGrad SoftplusGrad SpaceToDepth
        StatelessMultinomial StatelessRandomGammaV3 StatelessRandomUniformIntV2
        StatelessShuffle StatelessTruncatedNormalV2 UnsortedSegmentMax
        UnsortedSegmentMin UnsortedSegmentProd UpperBound
    """,
    "TensorFlow's own functions in layers and losses of one's own": """
        ClipByValue EuclideanNorm L2Loss Mod MulNoNan Rint TensorScatterSub Xdivy
        Xlog1py Xlogy
    """,
}


@pytest.mark.slow
def test_ordinary_models_are_made_of_what_is_known():
    used = set()
    for name, traced in ordinary.computations():
        found = traced()
        assert found - ordinary.KNOWN <= REFUSED, name
        assert name.startswith("keras.ops.") or not found & REFUSED, name
        used |= found
    assert used >= REFUSED
    others = {op for names in OTHERS.values() for op in names.split()}
    # Nothing is trusted that nobody needs.
    assert PURE_OPS <= used | others
    assert others <= PURE_OPS and not others & used


def test_what_is_refused_is_named_with_the_list():
    for op in REFUSED - {"BesselI0", "BesselI1", "IRFFT", "RFFT"}:
        assert op not in PURE_OPS and f"`{op}`" in pure_ops.__doc__
