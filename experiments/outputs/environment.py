"""With what a run is made: versions, devices, processor and commit."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

DISTRIBUTIONS = (
    "selenc-tf",
    "tensorflow",
    "tensorflow-federated",
    "tf-shell",
    "keras",
    "keras-hub",
    "numpy",
    "scipy",
)


def describe(distributions: Sequence[str] = DISTRIBUTIONS) -> dict[str, Any]:
    """Describes this process for `config.json`; nothing that names a user or host.

    Args:
      distributions: Whose versions are noted; null for one that is not installed.

    Returns:
      A mapping with "versions", "devices", "cpu" and "git".
    """
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in distributions},
        },
        "devices": devices(),
        "cpu": {"model": _cpu_model(), "cores": len(os.sched_getaffinity(0))},
        "git": git_state(pathlib.Path(__file__).resolve().parents[2]),
    }


def in_words(described: Mapping[str, Any]) -> str:
    """The machine and the versions on one line, for tables and texts.

    Args:
      described: From `describe`.

    Returns:
      Cores, processor, devices and the versions of what is installed.
    """
    versions = ", ".join(
        f"{name} {version}"
        for name, version in described["versions"].items()
        if version is not None
    )
    return (
        f"{described['cpu']['cores']} cores, {described['cpu']['model']}, "
        f"{', '.join(described['devices'])}; {versions}"
    )


def devices() -> list[str]:
    """TensorFlow's devices: type, number and, for accelerators, the product's name."""
    # Here, so that reading what a run was made with does not wait for TensorFlow.
    import tensorflow as tf

    described = []
    for device in tf.config.list_physical_devices():
        details = {}
        if device.device_type != "CPU":
            details = tf.config.experimental.get_device_details(device)
        index = device.name.rpartition(":")[2]
        name = details.get("device_name", "")
        described.append(f"{device.device_type}:{index} {name}".strip())
    return described


def git_state(root: pathlib.Path) -> dict[str, Any] | None:
    """The commit of a checkout and whether files differ from it.

    Args:
      root: The top folder of the checkout.

    Returns:
      "commit" and "dirty"; None where `root` is not the top of a checkout (an installed
      package may lie inside somebody else's) or git is missing.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    commit = _git(root, "rev-parse", "HEAD")
    if top is None or commit is None or pathlib.Path(top).resolve() != root.resolve():
        return None
    return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain"))}


def _git(root: pathlib.Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
