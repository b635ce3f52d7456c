"""What TensorBoard reads of a folder."""

from tensorboard.backend.event_processing import plugin_event_accumulator


def accumulator(folder):
    return plugin_event_accumulator.EventAccumulator(
        str(folder), size_guidance={"tensors": 0}
    )


def tags(folder):
    read = accumulator(folder)
    read.Reload()
    return read.Tags()["tensors"]
