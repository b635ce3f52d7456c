"""What is installed: whose packages run, what TFF needs, what the wheel holds."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("selenc_tf", "federated", "attacks", "experiments")


def run(*command, cwd, **environment):
    """What a program prints, started as a user would from another folder."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**kept, **environment},
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def python(code, cwd, **environment):
    return run(sys.executable, "-c", code, cwd=cwd, **environment)


def test_nothing_of_ours_runs_at_the_start_of_an_interpreter(tmp_path):
    loaded = python("import sys; print(*sys.modules)", tmp_path).split()
    assert "sys" in loaded
    assert [name for name in loaded if name.split(".")[0] in PACKAGES] == []


@pytest.mark.parametrize("way", ["current folder", "PYTHONPATH"])
def test_another_checkout_runs_its_own_packages(tmp_path, way):
    copy = tmp_path / "checkout"
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            copy / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    code = f"""
import importlib, json
names = {PACKAGES!r} + ("federated.views",)
print(json.dumps([importlib.import_module(name).__file__ for name in names]))
"""
    if way == "PYTHONPATH":
        printed = python(code, tmp_path, PYTHONPATH=str(copy))
    else:
        printed = python(code, copy)
    files = json.loads(printed)
    assert len(files) == 5
    for file in files:
        assert pathlib.Path(file).is_relative_to(copy)


def test_the_face_is_light_and_names_what_there_is(tmp_path):
    code = """
import json, sys
import federated
before = sorted(sys.modules)
print(json.dumps([before, dir(federated)]))
"""
    loaded, names = json.loads(python(code, tmp_path))
    heavy = {"tensorflow", "keras", "tensorflow_federated", "numpy", "inspect"}
    assert heavy & set(loaded) == set()
    assert {"selective_encryption", "SelectiveEncryption", "tff_model"} <= set(names)
    assert {"install", "key_flow"} <= set(names)


def test_the_face_gives_what_it_names():
    import federated
    from federated import aggregators, key_flow, runtime, tff_models

    assert federated.selective_encryption is aggregators.selective_encryption
    assert federated.SelectiveEncryption is aggregators.SelectiveEncryption
    assert federated.tff_model is tff_models.tff_model
    assert federated.install is runtime.install
    assert federated.key_flow is key_flow


@pytest.mark.slow
@pytest.mark.long
def test_tff_imports_at_the_second_try(tmp_path):
    code = """
try:
    import tensorflow_federated as tff
except ModuleNotFoundError as error:
    print(error.name)
import federated
import numpy as np
import tensorflow_federated as tff
import tensorflow_privacy

print(tff.aggregators.DifferentiallyPrivateFactory.__name__)
print(tensorflow_privacy.NestedQuery.__name__, tensorflow_privacy.restart_query.__name__)
federated.install()

@tff.federated_computation(tff.FederatedType(np.int32, tff.CLIENTS))
def total(values):
    return tff.federated_sum(values)

print(total([1, 2]))
"""
    assert python(code, tmp_path).splitlines() == [
        "tensorflow_estimator",
        "DifferentiallyPrivateFactory",
        "NestedQuery tensorflow_privacy.privacy.dp_query.restart_query",
        "3",
    ]


@pytest.mark.slow
def test_the_wheel_is_complete(tmp_path):
    run("uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    suffixes = (".py", ".pyi", ".typed", ".flags", ".html")
    expected = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in suffixes
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= expected
    assert {"federated/__init__.pyi", "experiments/flagfiles/tiny.flags"} <= expected
    assert expected <= names
    # Beside our packages there is only the description of the wheel: no `.pth`.
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {*PACKAGES}


PROGRAM = """
import pathlib

import federated
import numpy as np
import tensorflow_federated as tff

from selenc_tf.lattice import codec, key_store, parameters, scales, shell_cipher
from selenc_tf.masks import agreement, policy
from selenc_tf.significance import random

cipher = shell_cipher.build_shell_cipher(parameters.choose_parameters(4, 16))
factory = federated.selective_encryption(
    federated.SelectiveEncryption(
        agreement.public_seed(random.random, policy.top_fraction(0.5), (0, 0)),
        codec.FixedPointCodec(bits=16),
        scales.public_bound(1.0),
        cipher,
        key_store.create(pathlib.Path("client.key"), cipher),
    )
)
value, weight = tff.TensorType(np.float32, (8,)), tff.TensorType(np.float32)
process = factory.create(value, weight)
print(federated.__file__)
print(process.next.type_signature.result.result)
"""


@pytest.mark.slow
def test_another_project_depends_on_this_one(tmp_path):
    # What docs/installing.md says; packages come from uv's cache or the registry.
    project = tmp_path / "second"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "second"\nversion = "0"\nrequires-python = "==3.11.*"\n'
    )
    shutil.copy(ROOT / "uv.toml", project)
    run("uv", "add", "--quiet", ROOT, cwd=project)
    (project / "main.py").write_text(PROGRAM)
    file, result = run(
        project / ".venv/bin/python", "main.py", cwd=project
    ).splitlines()[-2:]
    assert pathlib.Path(file).is_relative_to(project / ".venv")
    assert result == "float32[8]@SERVER"
