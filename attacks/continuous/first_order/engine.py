"""Many gradient-matching searches by Adam as one compiled program.

Trials (pictures x restarts x masks x labels) of one shape lie along a leading axis and
share the model's weights. Everything that varies between them is an input, so a study
traces its program once for each number of trials.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from attacks.continuous.first_order import recipes, schedules, slopes
from selenc_tf.models import functional
from selenc_tf.types import Weights

_SECOND_DECAY = 0.999
"""Of Adam's mean of squared slopes."""

_EPSILON = 1e-12
"""Adam's; small, because the slopes of a well matched picture are."""


class Problem(NamedTuple):
    """What t trials search for, of which p gradients.

    Attributes:
      weights: The model weights of the round, float32.
      targets: float32 [p, n], zero where not matched.
      matched: float32 [p, n], 0 or 1.
      labels: float32 [t, b, num_classes], see `matching.as_targets`.
      shares: float32 [b], each picture's weight in the loss; they sum to 1.
      which: int32 [t], the gradient of a trial.
      group: int32 [t], equal for restarts of one picture, below t.
      features: float32 [t, f], the head's input as read off; f may be 0.
      known_features: float32 [t, f], 1 where it could be read off.
    """

    weights: Weights
    targets: tf.Tensor
    matched: tf.Tensor
    labels: tf.Tensor
    shares: tf.Tensor
    which: tf.Tensor
    group: tf.Tensor
    features: tf.Tensor
    known_features: tf.Tensor


class State(NamedTuple):
    """Where t searches stand.

    Attributes:
      images: float32 [t, b, *input_shape] in [0, 1].
      first: Adam's mean of the slopes, of the same shape.
      second: Adam's mean of their squares.
      best_images: The iterate with the smallest objective so far.
      best_objective: float32 [t], that objective, with priors; +inf if none was finite.
      best_error: float32 [t], the distance alone at that iterate.
      iteration: int32 scalar, iterations done.
    """

    images: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor
    best_images: tf.Tensor
    best_objective: tf.Tensor
    best_error: tf.Tensor
    iteration: tf.Tensor


class Engine(NamedTuple):
    """The compiled search for one model and recipe.

    Attributes:
      model: The architecture.
      recipe: The objective and the steps.
      advance: `(problem, state, until, total, seed) -> state` at iteration `until` of a
        search of `total`; `seed` is int32 [2].
      trace_count: How often `advance` was traced.
    """

    model: functional.FunctionalModel
    recipe: recipes.Recipe
    advance: Callable[..., State]
    trace_count: Callable[[], int]


def start(images: tf.Tensor) -> State:
    """The state before the first iteration, at pictures [t, b, *input_shape]."""
    images = tf.convert_to_tensor(images, tf.float32)
    worst = tf.fill(images.shape[:1], tf.constant(float("inf"), tf.float32))
    zeros = tf.zeros_like(images)
    return State(images, zeros, zeros, images, worst, worst, tf.constant(0, tf.int32))


def build_engine(
    model: functional.FunctionalModel,
    recipe: recipes.Recipe,
    *,
    jit_compile: bool = False,
) -> Engine:
    """Compiles the search of a recipe on a model.

    Runs on: attacker. Sees: the visible entries, the weights and its own candidates.

    Args:
      model: The architecture; its initial weights are not used.
      recipe: The objective and the steps.
      jit_compile: Whether to compile with XLA. On the ConvNets it compiles for long and
        was slower than the graph when it was tried on a CPU; XLA refuses the second
        derivative of Keras' max-pooling.

    Returns:
      The engine; it is traced at its first call.

    Raises:
      DoesNotApply: If the recipe's prior is on layers that the model does not have.
    """
    slope_of_error = slopes.build_slope(model, recipe)
    penalty = recipe.prior.penalty(model) if recipe.prior is not None else None

    def slopes_of(
        problem: Problem, images: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Objectives [t], distances [t] and the objectives' slopes."""
        consensus = _consensus(problem, images)

        def of_trial(trial: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
            candidate, labels, which, mean, seen, known = trial
            error, slope = slope_of_error(
                problem.weights,
                problem.targets[which],
                problem.matched[which],
                candidate,
                labels,
                problem.shares,
            )
            scaled = recipe.distance_weight * error
            scaled_slope = recipe.distance_weight * slope
            if penalty is None:
                return scaled, error, scaled_slope
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(candidate)
                extra = penalty(problem.weights, candidate, mean, seen, known)
            prior_slope = tape.gradient(
                extra, candidate, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return scaled + extra, error, scaled_slope + prior_slope

        trials = (
            images,
            problem.labels,
            problem.which,
            consensus,
            problem.features,
            problem.known_features,
        )
        if images.shape[0] == 1:
            found = of_trial(tuple(part[0] for part in trials))
            return found[0][tf.newaxis], found[1][tf.newaxis], found[2][tf.newaxis]
        return tf.map_fn(
            of_trial,
            trials,
            fn_output_signature=(tf.float32, tf.float32, tf.float32),
            parallel_iterations=2,
        )

    @tf.function(jit_compile=jit_compile, autograph=False)
    def advance(
        problem: Problem,
        state: State,
        until: tf.Tensor,
        total: tf.Tensor,
        seed: tf.Tensor,
    ) -> State:
        def body(*parts: tf.Tensor) -> State:
            now = State(*parts)
            objective, error, slope = slopes_of(problem, now.images)
            return step(recipe, now, objective, error, slope, total, seed)

        return State(*tf.while_loop(lambda *parts: parts[-1] < until, body, state))

    return Engine(
        model,
        recipe,
        advance,
        lambda: int(advance.experimental_get_tracing_count()),
    )


def _consensus(problem: Problem, images: tf.Tensor) -> tf.Tensor:
    """The mean of each trial's group, of the shape of the pictures."""
    count = images.shape[0]
    same = tf.cast(
        problem.group[:, tf.newaxis] == problem.group[tf.newaxis], tf.float32
    )
    means = tf.matmul(same, tf.reshape(images, [count, -1]))
    means /= tf.reduce_sum(same, axis=1, keepdims=True)
    return tf.reshape(means, images.shape)


def step(
    recipe: recipes.Recipe,
    state: State,
    objective: tf.Tensor,
    error: tf.Tensor,
    slope: tf.Tensor,
    total: tf.Tensor,
    seed: tf.Tensor,
) -> State:
    """Notes the present iterates where they are the best so far, then walks on.

    Args:
      recipe: How Adam walks.
      state: Where t searches stand.
      objective: float32 [t], with priors, at `state.images`.
      error: float32 [t], the distance alone.
      slope: float32 [t, b, *input_shape], of the objective.
      total: int32 scalar, iterations of the whole search.
      seed: int32 [2], of the noise.

    Returns:
      The state one iteration on.
    """
    better = objective < state.best_objective
    rank = state.images.shape.rank
    chosen = tf.reshape(better, [-1] + [1] * (rank - 1))
    share = schedules.share(recipe.schedule, state.iteration, total, recipe.warm_up)
    # A trial that is not finite stays where it is; the others go on.
    slope = tf.where(tf.math.is_finite(slope), slope, 0.0)
    if recipe.langevin > 0:
        noise = tf.random.stateless_normal(
            slope.shape, seed + tf.stack([0, state.iteration])
        )
        spread = tf.sqrt(
            tf.reduce_mean(tf.square(slope), axis=tuple(range(1, rank)), keepdims=True)
        )
        slope += recipe.langevin * share * spread * noise
    if recipe.step == "sign":
        slope = tf.sign(slope)
    elif recipe.step == "soft_sign":
        left = 1.0 - tf.cast(state.iteration, tf.float32) / tf.cast(total, tf.float32)
        slope = tf.tanh(left * slope) / left
    decay = recipe.first_decay
    first = decay * state.first + (1 - decay) * slope
    second = _SECOND_DECAY * state.second + (1 - _SECOND_DECAY) * tf.square(slope)
    count = tf.cast(state.iteration + 1, tf.float32)
    mean = first / (1.0 - tf.pow(decay, count))
    square = second / (1.0 - tf.pow(_SECOND_DECAY, count))
    walked = state.images - recipe.learning_rate * share * mean / (
        tf.sqrt(square) + _EPSILON
    )
    return State(
        images=tf.clip_by_value(walked, 0.0, 1.0),
        first=first,
        second=second,
        best_images=tf.where(chosen, state.images, state.best_images),
        best_objective=tf.where(better, objective, state.best_objective),
        best_error=tf.where(better, error, state.best_error),
        iteration=state.iteration + 1,
    )
