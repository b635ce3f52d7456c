"""The models that a run trained, as files that Keras loads: `models/<cell>.keras`."""

import os
import pathlib
import warnings

import tensorflow_federated as tff

from experiments.outputs.records import Cell, path_name
from federated import restoring
from selenc_tf.models.any_model import AnyModel

FOLDER_NAME = "models"


def path_of(run_folder: pathlib.Path, cell: Cell) -> pathlib.Path:
    """Where the model of one training is kept."""
    name = path_name(f"{cell.metric}_{cell.agreement}_{cell.encryption_ratio:g}")
    return run_folder / FOLDER_NAME / f"{name}.keras"


def save(
    run_folder: pathlib.Path,
    cell: Cell,
    model: AnyModel,
    weights: tff.learning.models.ModelWeights,
) -> str:
    """Keeps a trained model; `keras.models.load_model` reads it.

    Args:
      run_folder: The folder of the run.
      cell: Which training.
      model: What was trained; its Keras model has its own values again afterwards.
      weights: What was learned, statistics included.

    Returns:
      "", or why it could not be kept: Keras cannot write every model of one's own.

    Raises:
      OSError: If the folder cannot be written.
    """
    keras_model = model.task.keras_model
    before = keras_model.get_weights()
    path = path_of(run_folder, cell)
    path.parent.mkdir(exist_ok=True)
    # Keras asks for the ending; a kill leaves no half of a file under the name.
    temporary = path.with_name(f".{path.name}")
    try:
        with warnings.catch_warnings():
            # Of Keras' variables to NumPy 2: nothing that we call.
            warnings.filterwarnings("ignore", "__array__ implementation")
            restoring.to_keras(weights, model.task).save(temporary)
        os.replace(temporary, path)
    except OSError:
        raise
    # What code of a user's own raises there must not cost the training.
    except Exception as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        return (
            f"The model trained with {cell.metric} at {cell.encryption_ratio:g} is not "
            f"kept: Keras cannot write it ({why}). Give its class a `get_config`."
        )
    finally:
        temporary.unlink(missing_ok=True)
        keras_model.set_weights(before)
    return ""
