"""Each policy on cases that are worked by hand."""

import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf import flatten
from selenc_tf.masks import agreement, parts, per_layer, policy, units
from selenc_tf.masks.always_hide import always_hide
from selenc_tf.masks.block_aligned import block_aligned
from selenc_tf.masks.history import ema, fixed, fixed_after_first
from selenc_tf.masks.layer_list import layer_list
from selenc_tf.masks.whole_units import columns, heads, rows, tensors
from selenc_tf.significance import magnitude
from tests.selenc_tf.masks.policies import SPEC as TRANSFORMER

DENSE = flatten.FlatSpec(("a/kernel", "a/bias"), ((2, 3), (3,)))


def hidden(chosen, spec, values, state=()):
    mask, _ = chosen.update(spec, tf.constant(values, tf.float32), state)
    assert np.count_nonzero(mask) == chosen.num_hidden(spec)
    return np.flatnonzero(mask).tolist()


class TestPerLayer:
    def test_by_hand(self):
        # Shares of m = 5: 3.33 and 1.67.
        values = [9, 9, 9, 9, 1, 2, 0, 0, 0]
        assert hidden(per_layer.per_layer(5 / 9), DENSE, values) == [0, 1, 2, 6, 7]

    def test_shares(self):
        spec = flatten.FlatSpec(("a", "b", "c"), ((6,), (3,), (1,)))
        assert per_layer.shares(spec, 5) == (3, 2, 0)

    @settings(max_examples=50, deadline=None)
    @given(st.data(), st.lists(st.integers(1, 50), min_size=1, max_size=9))
    def test_shares_are_exact_and_near(self, data, sizes):
        n = sum(sizes)
        m = data.draw(st.integers(0, n))
        spec = flatten.FlatSpec(
            tuple(map(str, sizes)), tuple((size,) for size in sizes)
        )
        found = per_layer.shares(spec, m)
        assert sum(found) == m
        for share, size in zip(found, sizes, strict=True):
            assert share <= size and abs(share - m * size / n) < 1


class TestWholeUnits:
    # The kernel's rows are 0 1 2 and 3 4 5; its columns 0 3, 1 4 and 2 5.
    VALUES = (1, 2, 9, 4, 4, 0, 3, 0, 0)

    @pytest.mark.parametrize(
        ("m", "expected"),
        [(1, [0]), (3, [0, 1, 2]), (4, [0, 1, 2, 6]), (6, [0, 1, 2, 3, 4, 6])],
    )
    def test_rows(self, m, expected):
        # Means: 4 and 8/3; the bias 3, 0, 0 lies between.
        assert hidden(rows(m / 9), DENSE, self.VALUES) == expected

    @pytest.mark.parametrize(
        ("m", "expected"), [(2, [2, 5]), (3, [1, 2, 5]), (5, [1, 2, 4, 5, 6])]
    )
    def test_columns(self, m, expected):
        # Means: 2.5, 3 and 4.5; the bias 3 ties with a column and comes later.
        assert hidden(columns(m / 9), DENSE, self.VALUES) == expected

    def test_tensors(self):
        # Means 10/3 and 1.
        assert hidden(tensors(7 / 9), DENSE, self.VALUES) == [0, 1, 2, 3, 4, 5, 6]

    def test_equal_scores_tie_whatever_the_size_of_the_unit(self):
        spec = flatten.FlatSpec(("a", "b", "c"), ((1000, 3), (7, 3), (1, 3)))
        for build in (rows, columns, tensors):
            assert hidden(build(0.01), spec, [0.1] * 3024)[0] == 0

    def test_heads_of_a_dense_kernel(self):
        spec = flatten.FlatSpec(("a/kernel", "a/bias"), ((2, 4), (4,)))
        values = [0, 1, 5, 5, 0, 1, 5, 0, 0, 0, 0, 9]
        # The bias entry 9, then columns 2 and 3.
        assert hidden(heads(5 / 12, 2), spec, values) == [2, 3, 6, 7, 11]

    def test_head_size_that_divides_nothing(self):
        spec = flatten.FlatSpec(("a/kernel", "a/bias"), ((2, 4), (4,)))
        with pytest.raises(
            ValueError, match=r"got 3 for the tensors a/kernel \[2, 4\]"
        ):
            heads(0.1, 3).num_hidden(spec)
        with pytest.raises(ValueError, match="head_size"):
            heads(0.1, 0)

    @pytest.mark.parametrize(
        ("name", "shape", "as_rows", "as_columns", "as_heads"),
        [
            ("d/kernel", (6, 4), (1, 6, 4), (6, 4, 1), (6, 2, 2)),
            ("d/kernel", (6, 5), (1, 6, 5), (6, 5, 1), (6, 5, 1)),
            ("d/bias", (4,), (1, 4, 1), (1, 4, 1), (1, 4, 1)),
            ("scalar", (), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
            ("c/kernel", (5, 3, 2, 8), (15, 2, 8), (30, 8, 1), (30, 8, 1)),
            ("c/kernel", (5, 2, 8), (5, 2, 8), (10, 8, 1), (10, 8, 1)),
            ("query/kernel", (6, 3, 2), (1, 6, 6), (6, 6, 1), (6, 3, 2)),
            ("query/bias", (3, 2), (1, 6, 1), (1, 6, 1), (1, 6, 1)),
            ("attention_output/kernel", (3, 2, 5), (1, 6, 5), (6, 5, 1), (1, 3, 10)),
        ],
    )
    def test_layouts(self, name, shape, as_rows, as_columns, as_heads):
        assert units.rows(name, shape) == as_rows
        assert units.columns(name, shape) == as_columns
        assert units.heads(2)(name, shape) == as_heads


class TestLayerList:
    def test_by_hand(self):
        assert hidden(layer_list(["/bias"]), DENSE, [0] * 9) == [6, 7, 8]
        assert hidden(layer_list(["kern", "a/"]), DENSE, [0] * 9) == list(range(9))

    def test_scores_are_not_looked_at(self):
        assert hidden(layer_list(["bias"]), DENSE, [np.nan] * 9) == [6, 7, 8]

    def test_no_match(self):
        chosen = layer_list(["bias", "dense_7"])
        message = re.escape(
            "'dense_7' to hide it, but its tensors are: a/kernel, a/bias"
        )
        with pytest.raises(ValueError, match=message):
            chosen.num_hidden(DENSE)
        with pytest.raises(ValueError, match=message):
            chosen.update(DENSE, tf.zeros([9]), ())

    def test_bad_patterns(self):
        with pytest.raises(TypeError, match=r"Write \['bias'\]"):
            layer_list("bias")
        with pytest.raises(ValueError, match="regular expression"):
            layer_list(["("])
        with pytest.raises(ValueError, match="at least one"):
            layer_list([])


class TestBlockAligned:
    def spec(self, n):
        return flatten.FlatSpec(("a",), ((n,),))

    @pytest.mark.parametrize(
        ("m", "per_block", "expected"),
        # One code of a message is the saturated count.
        [
            (0, 4, 0),
            (1, 4, 3),
            (3, 4, 3),
            (4, 4, 7),
            (8, 4, 10),
            (5, 1, 5),
            (1, 99, 10),
        ],
    )
    def test_number_hidden(self, m, per_block, expected):
        chosen = block_aligned(policy.top_fraction(m / 10), per_block)
        values = np.arange(10)
        assert len(hidden(chosen, self.spec(10), values)) == expected

    def test_of_top_fraction_is_top_fraction(self):
        values = np.random.default_rng(0).integers(0, 5, 60)
        chosen = block_aligned(policy.top_fraction(0.2), 7)
        assert hidden(chosen, self.spec(60), values) == hidden(
            policy.top_fraction(13 / 60), self.spec(60), values
        )

    def test_keeps_the_wrapped_mask(self):
        # Row 1, then the highest of what is left.
        chosen = block_aligned(rows(3 / 9), 6)
        values = [0, 9, 0, 5, 5, 5, 4, 4, 0]
        assert hidden(chosen, DENSE, values) == [1, 3, 4, 5, 6]

    def test_fills_the_engine_s_blocks(self):
        from selenc_tf.lattice import codec, engine, identity_cipher

        eight_bits = engine.Engine(
            codec.FixedPointCodec(8),
            identity_cipher.build_identity_cipher_INSECURE(101, 2**40 + 15, 2),
        )
        spec = self.spec(1000)
        for m in (1, 98, 99, 100, 640):
            aligned = block_aligned(
                policy.top_fraction(m / 1000), 100, eight_bits.count_codes
            )
            hides = aligned.num_hidden(spec)
            codes = hides + eight_bits.count_codes(hides)
            fewest = m + eight_bits.count_codes(m)
            assert codes - 100 < fewest <= codes
            assert codes % 100 == 0

    def test_bad_size(self):
        with pytest.raises(ValueError, match="codes_per_block"):
            block_aligned(policy.top_fraction(0.1), 0)


class TestParts:
    def names(self, selector, spec=TRANSFORMER):
        return [spec.names[index] for index in selector(spec)]

    def test_by_role(self):
        assert self.names(parts.classifier_head) == ["head/kernel", "head/bias"]
        assert self.names(parts.embeddings) == ["words/embeddings"]
        assert self.names(parts.normalisation) == ["norm/gamma", "norm/beta"]
        assert self.names(parts.biases) == [
            "attention/query/bias", "norm/gamma", "norm/beta", "conv/bias", "head/bias",
        ]  # fmt: skip

    def test_head_without_a_bias(self):
        spec = flatten.FlatSpec(("a/kernel", "b/kernel"), ((2, 3), (3, 4)))
        assert self.names(parts.classifier_head, spec) == ["b/kernel"]
        spec = flatten.FlatSpec(("b/kernel", "norm/beta"), ((2, 3), (2,)))
        assert self.names(parts.classifier_head, spec) == ["b/kernel"]

    @pytest.mark.parametrize(
        "selector", [parts.classifier_head, parts.embeddings, parts.normalisation]
    )
    def test_nothing_found(self, selector):
        spec = flatten.FlatSpec(("a/bias",), ((2,),))
        with pytest.raises(ValueError, match="its tensors are: a/bias"):
            selector(spec)

    def test_no_biases(self):
        with pytest.raises(ValueError, match="one axis"):
            parts.biases(flatten.FlatSpec(("a/kernel",), ((2, 2),)))


class TestAlwaysHide:
    def test_the_rest_goes_to_the_scores(self):
        chosen = always_hide(policy.top_fraction(5 / 9), parts.biases)
        assert hidden(chosen, DENSE, [5, 1, 2, 9, 3, 4, 0, 0, 8]) == [0, 3, 6, 7, 8]

    def test_more_than_the_budget(self):
        chosen = always_hide(policy.top_fraction(1 / 9), parts.biases)
        assert hidden(chosen, DENSE, [9] * 9) == [6, 7, 8]

    @pytest.mark.parametrize("ratio", [0.0, 1.0])
    def test_extremes(self, ratio):
        chosen = always_hide(policy.top_fraction(ratio), parts.biases)
        assert len(hidden(chosen, DENSE, [0] * 9)) == (9 if ratio else 3)

    def test_overlapping_parts_count_once(self):
        chosen = always_hide(
            policy.top_fraction(0), parts.biases, parts.classifier_head
        )
        assert hidden(chosen, DENSE, [0] * 9) == list(range(9))

    def test_rows_stay_whole(self):
        chosen = always_hide(rows(6 / 9), parts.biases)
        assert hidden(chosen, DENSE, [5, 5, 5, 9, 9, 0, 0, 0, 0]) == [3, 4, 5, 6, 7, 8]

    def test_beyond_the_share_of_a_tensor(self):
        # Shares of m = 6: 4 and 2; the bias needs 3.
        chosen = always_hide(per_layer.per_layer(6 / 9), parts.biases)
        assert hidden(chosen, DENSE, [6, 5, 4, 3, 2, 1, 0, 0, 0]) == [0, 1, 2, 6, 7, 8]

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 9), st.lists(st.integers(-2, 2), min_size=9, max_size=9))
    def test_parts_then_highest_scores(self, m, values):
        chosen = always_hide(policy.top_fraction(m / 9), parts.biases)
        best = sorted(range(6), key=lambda index: -values[index])[: max(m - 3, 0)]
        assert hidden(chosen, DENSE, values) == sorted([*best, 6, 7, 8])

    def test_no_selector(self):
        with pytest.raises(ValueError, match="at least one selector"):
            always_hide(policy.top_fraction(0.1))


class TestHistory:
    def test_ema_by_hand(self):
        spec = flatten.FlatSpec(("a",), ((3,),))
        chosen = ema(policy.top_fraction(1 / 3), 0.75)
        state, seen = chosen.init(spec), []
        for values in ([4.0, 0, 0], [0, 6.0, 0], [0, 0, 3.0], [0, 0, 0.0]):
            mask, state = chosen.update(spec, tf.constant(values), state)
            seen.append(np.flatnonzero(mask).tolist())
        # Averages after the third: 0.5625, 1.125, 0.75.
        assert seen == [[0], [1], [1], [1]]
        np.testing.assert_allclose(state.average, [0.421875, 0.84375, 0.5625])

    def test_ema_that_forgets_everything_is_the_policy(self):
        chosen = ema(policy.top_fraction(0.5), 0.0)
        state = chosen.init(DENSE)
        for seed in range(3):
            values = np.random.default_rng(seed).random(9, np.float32)
            mask, state = chosen.update(DENSE, tf.constant(values), state)
            assert np.flatnonzero(mask).tolist() == hidden(
                policy.top_fraction(0.5), DENSE, values
            )

    @pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
    def test_decay_out_of_range(self, decay):
        with pytest.raises(ValueError, match="decay"):
            ema(policy.top_fraction(0.1), decay)

    def test_the_first_mask_of_a_ranking_stays(self):
        spec = flatten.FlatSpec(("a",), ((3,),))
        chosen = fixed_after_first(policy.top_fraction(1 / 3))
        state, seen = chosen.init(spec), []
        for values in ([2.0, 2, 2], [0, 6.0, 0], [0, 0, 3.0], [np.nan, 0, 0.0]):
            mask, state = chosen.update(spec, tf.constant(values), state)
            seen.append(np.flatnonzero(mask).tolist())
        assert seen == [[0], [1], [1], [1]]

    def test_fixed_after_the_first_aggregate(self):
        source = agreement.previous_aggregate(
            magnitude.magnitude, fixed_after_first(policy.top_fraction(1 / 9)), (1, 2)
        )
        state, seen = source.init(DENSE), []
        for largest in (4, 7, 2):
            mask, state = source.mask(DENSE, state)
            seen.append(np.flatnonzero(mask).tolist())
            state = source.observe(state, tf.one_hot(largest, 9))
        assert seen == [list(range(9)), [4], [4]]

    def test_fixed(self):
        given_mask = np.array([True, False, True])
        chosen = fixed(given_mask)
        given_mask[:] = False
        spec = flatten.FlatSpec(("a",), ((3,),))
        assert hidden(chosen, spec, [np.nan] * 3, chosen.init(spec)) == [0, 2]

    def test_fixed_of_another_kind(self):
        with pytest.raises(TypeError, match="boolean"):
            fixed([0, 1])
        with pytest.raises(ValueError, match="one axis"):
            fixed([[True]])
        with pytest.raises(ValueError, match="9 entries"):
            fixed([True]).num_hidden(DENSE)
