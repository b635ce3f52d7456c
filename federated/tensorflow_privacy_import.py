"""Lets TensorFlow Federated 0.87 be imported beside TensorFlow 2.20.

TFF imports `tensorflow_privacy` 0.9.0, whose `__init__` imports TensorFlow Estimator,
which no longer works (removed from TensorFlow in 2.16). TFF needs only the `DPQuery`
classes, and those import fine. The finder below is asked when, and only when, somebody
imports `tensorflow_privacy`; it runs the package's `__init__` with the package's own
switch for skipping its imports, and then adds the `DPQuery` classes.

It is installed by importing `federated`, which therefore comes before the first import
of `tensorflow_federated` (sorted imports have it there). Who imports TFF first sees
`No module named 'tensorflow_estimator'`, and may then import `federated` and try again.
This module imports little, and nothing but the standard library.
"""

import importlib
import importlib.machinery
import sys
import types
from collections.abc import Sequence

_PACKAGE = "tensorflow_privacy"

# The modules of `tensorflow_privacy.privacy.dp_query` whose classes the package's own
# `__init__` exports.
_DP_QUERY_MODULES = (
    "dp_query",
    "discrete_gaussian_query",
    "distributed_discrete_gaussian_query",
    "distributed_skellam_query",
    "gaussian_query",
    "nested_query",
    "no_privacy_query",
    "normalized_query",
    "quantile_estimator_query",
    "quantile_adaptive_clip_sum_query",
    "quantile_adaptive_clip_tree_query",
    "restart_query",
    "tree_aggregation_query",
    "tree_range_query",
)


class _DPQueryOnlyLoader(importlib.machinery.SourceFileLoader):
    """Executes `tensorflow_privacy/__init__.py` without Estimator and Keras parts."""

    def exec_module(self, module: types.ModuleType) -> None:
        # `hasattr(sys, "skip_tf_privacy_import")` is the switch that the package reads.
        had_switch = hasattr(sys, "skip_tf_privacy_import")
        sys.skip_tf_privacy_import = True  # type: ignore[attr-defined]
        try:
            super().exec_module(module)
        finally:
            if not had_switch:
                del sys.skip_tf_privacy_import  # type: ignore[attr-defined]
        prefix = f"{_PACKAGE}.privacy.dp_query"
        for name in _DP_QUERY_MODULES:
            source = importlib.import_module(f"{prefix}.{name}")
            for class_name, value in vars(source).items():
                if isinstance(value, type) and value.__module__ == source.__name__:
                    setattr(module, class_name, value)
        for name in ("restart_query", "tree_aggregation"):
            setattr(module, name, importlib.import_module(f"{prefix}.{name}"))


class _DPQueryOnlyFinder:
    """Answers for `tensorflow_privacy` alone."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        del target
        if fullname != _PACKAGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            return None
        # An environment that does have a working Estimator gets the whole package.
        if importlib.machinery.PathFinder.find_spec("tensorflow_estimator") is None:
            spec.loader = _DPQueryOnlyLoader(fullname, spec.origin)
        return spec


def install() -> None:
    """Installs the finder once; later calls do nothing.

    Forgets what an import without it left behind when it failed: a package that is not
    there itself, but whose modules are, does not import a second time.
    """
    if any(isinstance(finder, _DPQueryOnlyFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _DPQueryOnlyFinder())
    for package in (_PACKAGE, "tensorflow_federated"):
        if package not in sys.modules:
            for name in [
                name for name in sys.modules if name.startswith(f"{package}.")
            ]:
                del sys.modules[name]
