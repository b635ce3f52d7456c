"""Many gradient-matching searches by Adam as one compiled program.

Trials (pictures x restarts x masks x labels) of one shape lie along a leading axis and
share the model's weights. Everything that varies between them is an input, so a study
traces its program once for each number of trials.

The derivative of a distance D(g(x)) by the picture x needs no derivative through the
whole of g's computation: with r = dD/dg it is the derivative by x of the directional
derivative of the loss L by the weights along r,

    d D(g(x)) / dx  =  d/dx  d/de L(x, w + e r) at e = 0,

one backward pass over one forward pass with tangents (Pearlmutter, "Fast Exact
Multiplication by the Hessian", Neural Computation 1994, for the mixed derivative).
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from attacks.first_order import distances, features, priors, recipes, schedules
from selenc_tf import flatten
from selenc_tf.models import functional
from selenc_tf.types import Vector, Weights

_FIRST_DECAY, _SECOND_DECAY = 0.9, 0.999
_EPSILON = 1e-12
"""Adam's; small, because the slopes of a well matched picture are."""


class Problem(NamedTuple):
    """What t trials search for, of which p gradients.

    Attributes:
      weights: The model weights of the round, float32.
      targets: float32 [p, n], zero where not matched.
      matched: float32 [p, n], 0 or 1.
      visible: float32 [p, n] for the hinge, else [p, 0].
      labels: float32 [t, b, classes], probabilities.
      shares: float32 [b], each picture's weight in the loss; they sum to 1.
      which: int32 [t], the gradient of a trial.
      group: int32 [t], equal for restarts of one picture, below t.
      features: float32 [t, f], the head's input as read off, for the feature prior;
        else [t, 0].
      known_features: float32 [t, f], 1 where it could be read off.
    """

    weights: Weights
    targets: tf.Tensor
    matched: tf.Tensor
    visible: tf.Tensor
    labels: tf.Tensor
    shares: tf.Tensor
    which: tf.Tensor
    group: tf.Tensor
    features: tf.Tensor
    known_features: tf.Tensor


class State(NamedTuple):
    """Where t searches stand.

    Attributes:
      images: float32 [t, b, h, w, c] in [0, 1].
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
    """The state before the first iteration, at pictures [t, b, h, w, c]."""
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
      jit_compile: Whether to compile with XLA: 18 s for one evaluation of the ConvNet of
        width 16 and 278 s of width 64 on two shared cores, after which one takes about
        half the time. XLA refuses the second derivative of Keras' max-pooling.

    Returns:
      The engine; it is traced at its first call.

    Raises:
      ValueError: If the recipe has a prior on layers that the model does not have.
    """
    slope_of_error = build_slope(model, recipe)
    penalty = build_penalty(model, recipe)

    def slopes(
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
                problem.visible[which],
                candidate,
                labels,
                problem.shares,
            )
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(candidate)
                extra = penalty(problem.weights, candidate, mean, seen, known)
            prior_slope = tape.gradient(
                extra, candidate, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            scaled = recipe.distance_weight * error
            return (
                scaled + extra,
                error,
                recipe.distance_weight * slope + prior_slope,
            )

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
            objective, error, slope = slopes(problem, now.images)
            return _step(recipe, now, objective, error, slope, total, seed)

        return State(*tf.while_loop(lambda *parts: parts[-1] < until, body, state))

    return Engine(
        model,
        recipe,
        advance,
        lambda: int(advance.experimental_get_tracing_count()),
    )


def build_slope(
    model: functional.FunctionalModel, recipe: recipes.Recipe
) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """The distance of one candidate and its derivative by the pictures.

    Returns:
      `(weights, target [n], matched [n], visible [n or 0], images [b, h, w, c], labels
      [b, classes], shares [b]) -> distance (with the hinge), slope [b, h, w, c]`.
    """
    distance = distances.build_distance(
        recipe.distance, model.spec, layer_weights=recipe.layer_weights
    )

    def error_of(
        gradient: Vector, target: Vector, matched: Vector, visible: Vector
    ) -> tf.Tensor:
        error = distance(gradient, target, matched)
        if recipe.hinge > 0:
            error += recipe.hinge * distances.magnitude_hinge(gradient, target, visible)
        return error

    def slope_of_error(
        weights: Weights,
        target: Vector,
        matched: Vector,
        visible: Vector,
        images: tf.Tensor,
        labels: tf.Tensor,
        shares: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        def loss() -> tf.Tensor:
            logits = model.apply(weights, images)
            entropies = -tf.reduce_sum(labels * tf.nn.log_softmax(logits), axis=-1)
            return tf.reduce_sum(shares * entropies)

        # Relative to the target's norm: tiny gradients would underflow when squared.
        norm = tf.norm(target)
        scale = tf.where(norm > 0, 1.0 / tf.where(norm > 0, norm, 1.0), 1.0)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            value = loss()
        parts = tape.gradient(
            value, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradient = flatten.flatten([tf.convert_to_tensor(part) for part in parts])
        gradient *= scale
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(gradient)
            error = error_of(gradient, scale * target, matched, visible)
        residual = flatten.unflatten(tape.gradient(error, gradient), model.spec)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            with tf.autodiff.ForwardAccumulator(
                list(weights), list(residual)
            ) as tangents:
                value = loss()
            along = tangents.jvp(value)
        return error, scale * tape.gradient(along, images)

    return slope_of_error


def build_penalty(
    model: functional.FunctionalModel, recipe: recipes.Recipe
) -> Callable[..., tf.Tensor]:
    """The recipe's priors on one candidate.

    Returns:
      `(weights, images [b, h, w, c], consensus [b, h, w, c], features [f], known [f])
      -> scalar`.
    """
    normalised = features.normalisation_inputs(model) if recipe.statistics else None
    head = features.head_inputs(model) if recipe.features else None

    def penalty(
        weights: Weights,
        images: tf.Tensor,
        consensus: tf.Tensor,
        seen: tf.Tensor,
        known: tf.Tensor,
    ) -> tf.Tensor:
        total = tf.zeros([])
        if recipe.total_variation and recipe.isotropic:
            total += recipe.total_variation * priors.padded_variation(
                images, inner=2.0, outer=0.5, double_opponents=True
            )
        elif recipe.total_variation:
            total += recipe.total_variation * priors.total_variation(images)
        if recipe.norm:
            total += recipe.norm * priors.mean_norm(images)
        if recipe.group:
            total += recipe.group * priors.group_distance(images, consensus)
        if normalised is not None:
            total += recipe.statistics * priors.statistics_distance(
                normalised.apply(weights, images),
                normalised.means,
                normalised.variances,
            )
        if head is not None:
            (inputs,) = head.apply(weights, images)
            total += recipe.features * priors.feature_distance(inputs, seen, known)
        return total

    return penalty


def _consensus(problem: Problem, images: tf.Tensor) -> tf.Tensor:
    """The mean of each trial's group, of the shape of the pictures."""
    count = images.shape[0]
    same = tf.cast(
        problem.group[:, tf.newaxis] == problem.group[tf.newaxis], tf.float32
    )
    means = tf.matmul(same, tf.reshape(images, [count, -1]))
    means /= tf.reduce_sum(same, axis=1, keepdims=True)
    return tf.reshape(means, images.shape)


def _step(
    recipe: recipes.Recipe,
    state: State,
    objective: tf.Tensor,
    error: tf.Tensor,
    slope: tf.Tensor,
    total: tf.Tensor,
    seed: tf.Tensor,
) -> State:
    """Notes the present iterates where they are the best so far, then walks on."""
    better = objective < state.best_objective
    chosen = tf.reshape(better, [-1, 1, 1, 1, 1])
    share = schedules.share(recipe.schedule, state.iteration, total, recipe.warm_up)
    # A trial that is not finite stays where it is; the others go on.
    slope = tf.where(tf.math.is_finite(slope), slope, 0.0)
    if recipe.langevin > 0:
        noise = tf.random.stateless_normal(
            slope.shape, seed + tf.stack([0, state.iteration])
        )
        spread = tf.sqrt(
            tf.reduce_mean(tf.square(slope), axis=(1, 2, 3, 4), keepdims=True)
        )
        slope += recipe.langevin * share * spread * noise
    if recipe.step == "sign":
        slope = tf.sign(slope)
    elif recipe.step == "soft_sign":
        left = 1.0 - tf.cast(state.iteration, tf.float32) / tf.cast(total, tf.float32)
        slope = tf.tanh(left * slope) / left
    first = _FIRST_DECAY * state.first + (1 - _FIRST_DECAY) * slope
    second = _SECOND_DECAY * state.second + (1 - _SECOND_DECAY) * tf.square(slope)
    count = tf.cast(state.iteration + 1, tf.float32)
    mean = first / (1.0 - tf.pow(_FIRST_DECAY, count))
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
