"""Where the seconds of a round go: the runtime's graphs, by the stage they are part of."""

from experiments.outputs.stages import Stage

_STAGES = {
    "announce": Stage.CHOOSE,
    "choose_mask": Stage.CHOOSE,
    "protect": Stage.ENCRYPT,
    "collect": Stage.ADD,
    "add_up": Stage.ADD,
    "open_share": Stage.DECRYPT,
    "open_sum": Stage.DECRYPT,
    "release": Stage.DECRYPT,
}
"""By the function of `federated` whose graph it is."""


class Stopwatch:
    """A timer of the runtime that adds up the seconds of each stage."""

    def __init__(self) -> None:
        """Starts at zero."""
        self._seconds: dict[Stage, float] = {}

    def __call__(self, name: str, seconds: float) -> None:
        """Adds the seconds of one graph."""
        stage = _STAGES.get(name, Stage.REST)
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def take(self) -> dict[Stage, float]:
        """The seconds of each stage that ran since the last call, of all parties."""
        taken = dict(self._seconds)
        self._seconds.clear()
        return taken
