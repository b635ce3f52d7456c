import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks.pictures.priors import features, penalty
from selenc_tf.models import functional, value_range
from tests.attacks import tables, victims


def test_the_heads_input_is_in_the_models_own_units(tiny):
    own = functional.from_task(
        tiny.task, value_range=value_range.value_range(-2.0, 3.0)
    )
    pictures = victims.tiny_pictures(2)
    (found,) = features.head_inputs(own).apply(own.initial_weights, pictures)
    (wanted,) = features.head_inputs(tiny).apply(
        tiny.initial_weights, tf.constant(5 * pictures - 2)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    kernel, bias = own.initial_weights[2:]
    logits = own.apply(own.initial_weights, pictures)
    np.testing.assert_allclose(found @ kernel + bias, logits, rtol=1e-4)


def test_tables_have_no_priors_on_pictures():
    with pytest.raises(knowledge.DoesNotApply, match=r"must take pictures .* priors"):
        penalty.PicturePrior().penalty(tables.row_model("classes"))
