"""Parameter sets of the pad: what is chosen holds all sums; what cannot be is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice.device import pad_parameters
from selenc_tf.lattice.device.pad_parameters import PadParameters

CHOSEN = pad_parameters.choose_parameters(4, 16)


@settings(max_examples=40, deadline=None)
@given(summands=st.integers(1, 1 << 14), bits=st.integers(2, 32))
def test_sums_of_the_largest_codes_fit(summands, bits):
    chosen = pad_parameters.choose_parameters(summands, bits)
    assert chosen.max_abs_plaintext >= 2 ** (bits - 1) - 1
    assert summands * chosen.max_abs_plaintext < 1 << (chosen.width - 1)
    assert chosen.num_slots == 8192


def test_of_the_catalogue():
    assert CHOSEN == PadParameters(bits=16, max_summands=4, columns=256)
    assert pad_parameters.choose_parameters(64, 32).columns == 128
    digests = {CHOSEN.digest(), pad_parameters.choose_parameters(5, 16).digest()}
    assert len(digests) == 2 and all(len(one) == 16 for one in digests)
    assert CHOSEN.digest(64).startswith(CHOSEN.digest())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": 1}, "bits"),
        ({"bits": 33}, "bits"),
        ({"max_summands": 0}, "max_summands"),
        ({"max_summands": (1 << 14) + 1}, "carry a seed of every summand"),
        ({"columns": 3}, "columns"),
        ({"columns": 1 << 20}, "groups of at most"),
        ({"group_blocks": 0}, "group_blocks"),
        ({"group_blocks": 1 << 20}, "groups of at most"),
    ],
)
def test_numbers_out_of_range(changes, message):
    numbers = {"bits": 16, "max_summands": 4, "columns": 256, **changes}
    with pytest.raises(ValueError, match=message):
        PadParameters(**numbers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "additive_pad ",
        "additive_pad []",
        "additive_pad {}",
        "additive_pad [[1, 2]]",
        'additive_pad {"bits": [5]}',
        CHOSEN.text() + " ",
        CHOSEN.text().replace("additive_pad", "device_rlwe"),
        CHOSEN.text().replace('"bits": ', '"bits": 1'),
        CHOSEN.text().replace('"bits": 16', '"bits": 16.0'),
        CHOSEN.text().replace('"bits": 16', '"bits": true'),
        CHOSEN.text().replace('"bits": 16', '"bits": [16]'),
        CHOSEN.text().replace("}", ', "more": 1}'),
    ],
)
def test_what_is_none_is_refused(text):
    assert text != CHOSEN.text()
    with pytest.raises(ValueError, match=r".+"):
        PadParameters.from_text(text)
