"""The attacks by name, for flags and for the conformance tests.

A new attack is one file and one line here.
"""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attacks import dlg, idlg
from attacks import knowledge as knowledge_lib

ATTACKS: Mapping[str, Callable[..., knowledge_lib.Attack]] = MappingProxyType(
    {
        "dlg_naive": functools.partial(dlg.build_dlg, "naive"),
        "dlg_mask_aware": functools.partial(dlg.build_dlg, "mask_aware"),
        "idlg_naive": functools.partial(idlg.build_idlg, "naive"),
        "idlg_mask_aware": functools.partial(idlg.build_idlg, "mask_aware"),
    }
)
"""Builders; each takes `source`, `initial`, `budget` and `progress` by keyword."""
