"""Reading and writing the files of a run does not wait for what draws them."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "scipy", "matplotlib", "rich", "tensorboard")


@pytest.mark.parametrize(
    "program",
    [
        "from experiments import outputs; outputs.environment, outputs.run_directory",
        "from experiments.outputs import files, records, results, reconstructions",
        "from experiments.outputs import tensorboard",
    ],
)
def test_what_is_not_used_is_not_loaded(program):
    heavy = f"[name for name in {HEAVY} if name in sys.modules]"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {program}; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_what_is_used_is_there():
    from experiments import outputs

    assert outputs.tensorboard.FOLDER_NAME == "tb"
    assert outputs.environment.in_words(
        {
            "versions": {"python": "3.11", "absent": None, "numpy": "2.0"},
            "devices": ["CPU:0", "GPU:0 x"],
            "cpu": {"cores": 2, "model": "m"},
        }
    ) == ("2 cores, m, CPU:0, GPU:0 x; python 3.11, numpy 2.0")
