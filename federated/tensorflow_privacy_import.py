"""Lets TensorFlow Federated 0.87 be imported beside TensorFlow 2.20.

TFF imports `tensorflow_privacy` 0.9.0, whose `__init__` imports TensorFlow Estimator,
which no longer works (removed from TensorFlow in 2.16). TFF needs only the `DPQuery`
classes, and those import fine. The finder below is asked when, and only when, somebody
imports `tensorflow_privacy`; it runs the package's `__init__` with the package's own
switch for skipping its imports, and then adds the `DPQuery` classes.

It is installed by importing `federated`, and at interpreter start in an environment in
which selenc-tf is installed (`selenc_tf_tff_import.pth`), so that a script may import
`tensorflow_federated` first. This module imports nothing but the standard library.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
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


class _DPQueryOnlyLoader(importlib.abc.Loader):
    """Executes `tensorflow_privacy/__init__.py` without Estimator and Keras parts."""

    def __init__(self, wrapped: importlib.abc.Loader):
        self._wrapped = wrapped

    def create_module(
        self, spec: importlib.machinery.ModuleSpec
    ) -> types.ModuleType | None:
        return self._wrapped.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        # `hasattr(sys, "skip_tf_privacy_import")` is the switch that the package reads.
        had_switch = hasattr(sys, "skip_tf_privacy_import")
        sys.skip_tf_privacy_import = True  # type: ignore[attr-defined]
        try:
            self._wrapped.exec_module(module)
        finally:
            if not had_switch:
                del sys.skip_tf_privacy_import  # type: ignore[attr-defined]
        prefix = f"{_PACKAGE}.privacy.dp_query"
        for name in _DP_QUERY_MODULES:
            source = importlib.import_module(f"{prefix}.{name}")
            for class_name, value in inspect.getmembers(source, inspect.isclass):
                if value.__module__ == source.__name__:
                    setattr(module, class_name, value)
        for name in ("restart_query", "tree_aggregation"):
            setattr(module, name, importlib.import_module(f"{prefix}.{name}"))


class _DPQueryOnlyFinder(importlib.abc.MetaPathFinder):
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
        if spec is None or spec.loader is None:
            return None
        # An environment that does have a working Estimator gets the whole package.
        if importlib.util.find_spec("tensorflow_estimator") is None:
            spec.loader = _DPQueryOnlyLoader(spec.loader)
        return spec


def install() -> None:
    """Installs the finder once; later calls do nothing."""
    if not any(isinstance(finder, _DPQueryOnlyFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _DPQueryOnlyFinder())
