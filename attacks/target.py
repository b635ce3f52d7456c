"""From a server's view to the vector that an attacker matches."""

import dataclasses

import numpy as np

from attacks import coupling, draws
from attacks import knowledge as knowledge_lib
from attacks.words import MODES as MODES
from attacks.words import Mode as Mode
from attacks.words import Source as Source
from federated import views
from selenc_tf import validation
from selenc_tf.models.any_model import AnyModel


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """A gradient as far as it is known.

    Attributes:
      vector: float32 [n], zero where hidden.
      visible: bool [n], what the server sees.
      matched: bool [n], what the objective compares: all under `naive`.
      sizes: The examples of each group; the gradient is a weighted mean of the groups'
        mean gradients.
      shares: float64 [len(sizes)], the groups' weights, which sum to 1.
      penalty: float32 [n], what the model's regularisers add to the gradient, or 0.0;
        None where it cannot be told from the weights of the round alone.
    """

    vector: np.ndarray
    visible: np.ndarray
    matched: np.ndarray
    sizes: tuple[int, ...]
    shares: np.ndarray
    penalty: np.ndarray | float | None = 0.0

    @property
    def plain(self) -> np.ndarray:
        """`vector` without the penalty: the mean of the examples' own gradients.

        Raises:
          DoesNotApply: If the penalty is not known.
        """
        if self.penalty is None:
            raise knowledge_lib.DoesNotApply(
                "The model's penalties must depend on the weights of the round alone for "
                "an attack that reads gradients of layers, but they depend on the "
                "examples, or on the steps between. Match gradients with known labels."
            )
        if isinstance(self.penalty, float):
            return self.vector
        left = self.vector - self.penalty
        # What is left of a unit that did not fire is rounding.
        rounding = 4 * np.finfo(np.float32).eps * np.abs(self.penalty)
        return np.where(
            self.visible & (np.abs(left) > rounding), left, np.float32(0)
        ).astype(np.float32)


def build_target(
    view: views.ServerView,
    knowledge: knowledge_lib.AnyKnowledge,
    source: Source,
    mode: Mode,
) -> Target:
    """Reads the attacked gradient out of a view.

    Runs on: attacker. Sees: the view; there is nothing else to see.

    Args:
      view: The server's view of a round.
      knowledge: What the attacker knows beside it.
      source: Which gradient.
      mode: What to do about hidden entries; of no effect on the aggregate, which hides
        none.

    Returns:
      The target.

    Raises:
      ValueError: If the view is not one of the model, has no such message or aggregate,
        or does not go with the batch sizes.
      DoesNotApply: If clients draw what the attacker does not know, or an aggregate is
        that of several batches with statistics of their own, whose sizes are not known.
    """
    validation.check_in("mode", mode, MODES)
    check_view(view, knowledge.model)
    draws.check(knowledge.model)
    if source == "aggregate":
        return _from_aggregate(view, knowledge)
    if isinstance(source, bool) or not isinstance(source, int | np.integer):
        raise ValueError(
            "`source` must be the index of a client's message or 'aggregate', got "
            f"{source!r}."
        )
    return _from_client(view, knowledge, int(source), mode)


def check_view(view: views.ServerView, model: AnyModel) -> None:
    """Checks that a view is of this model.

    Raises:
      ValueError: If its weights, mask, messages or aggregate have the wrong shapes.
    """
    spec = model.spec
    shapes = tuple(tuple(tensor.shape) for tensor in view.weights)
    if shapes != spec.shapes:
        raise ValueError(
            f"`view.weights` must have the shapes of `knowledge.model` ({model.name}), "
            f"{spec.shapes}, got {shapes}. Attack the model that the view is of."
        )
    if view.mask.shape != (spec.size,) or view.mask.dtype != np.bool_:
        raise ValueError(
            f"`view.mask` must be bool [{spec.size}], one entry for each parameter of "
            f"`knowledge.model` ({model.name}), got {view.mask.dtype} "
            f"{list(view.mask.shape)}."
        )
    visible = spec.size - int(np.count_nonzero(view.mask))
    for index, message in enumerate(view.messages):
        if message.plain.shape != (visible,):
            raise ValueError(
                f"`view.messages[{index}].plain` must have the {visible} entries that "
                f"`view.mask` leaves visible, got shape {list(message.plain.shape)}."
            )
    if view.aggregate is not None and view.aggregate.shape != (spec.size,):
        raise ValueError(
            f"`view.aggregate` must have {spec.size} entries, got shape "
            f"{list(view.aggregate.shape)}."
        )


def penalty_of(
    view: views.ServerView,
    knowledge: knowledge_lib.AnyKnowledge,
) -> np.ndarray | float | None:
    """`Target.penalty` of every gradient of a round."""
    weights = tuple(np.asarray(tensor) for tensor in view.weights)
    found = knowledge.modality.penalty(knowledge.model, weights)
    # Between local steps the weights move, and with them their penalty.
    several = knowledge.local_training is not None
    return None if several and not isinstance(found, float) else found


def _from_client(
    view: views.ServerView,
    knowledge: knowledge_lib.AnyKnowledge,
    client: int,
    mode: Mode,
) -> Target:
    if not 0 <= client < len(view.messages):
        raise ValueError(
            f"`source` must be in [0, {len(view.messages)}), the messages of the view, "
            f"got client {client}."
        )
    if knowledge.client_sizes is not None:
        raise ValueError(
            "`knowledge.client_sizes` must be None where one client's message is "
            f"attacked, got {knowledge.client_sizes}. Its batch is `batch_size`."
        )
    visible = ~view.mask
    return Target(
        vector=views.visible_gradient(view, client, knowledge.batch_size),
        visible=visible,
        matched=visible if mode == "mask_aware" else np.ones_like(visible),
        sizes=(knowledge.batch_size,),
        shares=np.ones(1),
        penalty=penalty_of(view, knowledge),
    )


def _from_aggregate(
    view: views.ServerView,
    knowledge: knowledge_lib.AnyKnowledge,
) -> Target:
    if view.aggregate is None:
        raise ValueError(
            "`source` must be a client's index for this view: `view.aggregate` is None,"
            " because the server stayed blind. Attack a message instead."
        )
    unknown = knowledge.client_sizes is None and len(view.messages) > 1
    if unknown and coupling.mixes_examples(knowledge.model):
        raise knowledge_lib.DoesNotApply(
            "`knowledge.client_sizes` must say which examples are of one batch where the "
            f"model ({knowledge.model.name}) normalises by statistics of the batch, got "
            "None."
        )
    everything = np.ones(view.mask.shape, np.bool_)
    sizes: tuple[int, ...] = (knowledge.batch_size,)
    shares = np.ones(1)
    if knowledge.client_sizes is not None:
        if len(knowledge.client_sizes) != len(view.messages):
            raise ValueError(
                "`knowledge.client_sizes` must have one entry for each of the "
                f"{len(view.messages)} messages, got {knowledge.client_sizes}."
            )
        sizes = knowledge.client_sizes
        shares = views.shares(view, sizes)
    return Target(
        vector=np.asarray(view.aggregate, np.float32),
        visible=everything,
        matched=everything,
        sizes=sizes,
        shares=shares,
        penalty=penalty_of(view, knowledge),
    )
