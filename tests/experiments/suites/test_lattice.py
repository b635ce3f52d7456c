"""The lattice suite on vectors of a few thousand values, with TenSEAL and without."""

import csv
import functools
import io

import numpy as np
import pytest
import tensorflow as tf

from experiments.suites.lattice import bars, ours, per_client, suite, tenseal, timing
from experiments.suites.lattice import memory as memory_lib
from experiments.suites.lattice import side as side_lib
from selenc_tf.lattice import header, parameters
from tests.experiments.suites.in_process import no_fresh_process  # noqa: F401
from tests.selenc_tf.lattice import ciphers

SIZE = 5000
needs_tenseal = pytest.mark.skipif(
    not tenseal.is_installed(), reason="needs the dependency group `bench`"
)
FEW = (
    side_lib.Setting(4096, (28, 28), 20.5, True),  # Too coarse.
    side_lib.Setting(4096, (40, 40), 32.5, True),
    side_lib.Setting(4096, (54, 54), 46.5, True),
)


# Tracing the stages takes longer than running them, and most of it is the server's, once
# for each message that it adds.
build_ours = functools.cache(ours.build)


@pytest.fixture(scope="module", autouse=True)
def few_messages():
    with pytest.MonkeyPatch.context() as patch:
        for module in (ours, per_client, tenseal, timing):
            patch.setattr(module, "ADDED", 2)
        yield


@pytest.fixture
def quick(monkeypatch, no_fresh_process):  # noqa: F811
    """The least that the suite can do."""
    monkeypatch.setattr(suite, "_MEMORY_VALUES", SIZE)
    monkeypatch.setattr(ours, "build", build_ours)
    monkeypatch.setattr(tenseal, "CANDIDATES", FEW)


def run(folder, *sizes):
    stream = io.StringIO()
    suite.run(suite.Request(sizes, 2, folder, "the command"), stream)
    rows = list(csv.DictReader(io.StringIO((folder / "lattice.csv").read_text())))
    return stream.getvalue(), rows


def check_row(row):
    for stage in ("client", "server", "opening"):
        low, middle, high = (
            float(row[f"{stage}_seconds_{part}"]) for part in ("min", "median", "max")
        )
        assert 0 < low <= middle <= high < 60
        assert int(row[f"{stage}_turns"]) == 2
    assert 0 < float(row["max_error"]) <= float(row["allowed_error"])
    assert int(row["memory_num_values"]) == SIZE


@pytest.mark.slow
def test_without_tenseal(tmp_path, monkeypatch, quick):
    monkeypatch.setattr(tenseal, "is_installed", lambda: False)
    shown, rows = run(tmp_path / "new", SIZE)
    assert "TenSEAL is not installed" in shown
    assert [row["side"] for row in rows] == [
        "selenc-tf, 16 bits",
        "selenc-tf, 8 bits",
        "selenc-tf, device_rlwe, 16 bits",
        "selenc-tf, device_rlwe, per-client secrets, 16 bits",
        "selenc-tf, additive_pad, 16 bits",
    ]
    for row in rows[2:]:
        check_row(row)
    # The secret's bits are counted, its 4096 integers have 7 each.
    own, chosen = int(rows[3]["message_bytes"]), ciphers.per_client(64, 16)
    assert own == header.NUM_BYTES + chosen.upload_bytes + 4096 * 7 // 8
    for row, bits in zip(rows[:2], (16, 8), strict=True):
        check_row(row)
        chosen = parameters.choose_parameters(side_lib.SUMMANDS, bits)
        whole = SIZE * parameters.bytes_per_value(chosen, bits)
        # A header more, and a last block that is not full.
        assert whole < int(row["message_bytes"]) < whole + 2 * chosen.block_bytes
    text = (tmp_path / "new" / "lattice.md").read_text()
    assert "the command" in text and "| selenc-tf, 8 bits |" in text
    png = (tmp_path / "new" / "lattice.png").read_bytes()
    assert png.startswith(b"\x89PNG") and len(png) > 10_000


@pytest.mark.slow
@needs_tenseal
def test_with_tenseal(tmp_path, quick):
    shown, rows = run(tmp_path, SIZE)
    assert [row["side"] for row in rows][2:4] == [
        "TenSEAL, peers' setting",
        "TenSEAL, best setting",
    ]
    for row in rows:
        check_row(row)
    # The most accurate that costs the fewest bytes, and the peers' cost more.
    assert "[40,40]" in rows[3]["details"]
    lengths = [int(row["message_bytes"]) for row in rows]
    assert lengths[1] < lengths[0] < lengths[3] < lengths[2]
    assert shown.count("at least 12x") == 1
    text = (tmp_path / "lattice.md").read_text()
    assert text.count("| taken |") == text.count("| not accurate |") == 1


LONG = {
    "tf_shell_bgv": lambda: build_ours(side_lib.OURS_16, 16),
    "device_rlwe": lambda: build_ours("", 16, "device_rlwe"),
    "secrets of messages": lambda: per_client.build("", 16),
    "additive_pad": lambda: build_ours("", 16, "additive_pad"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_long_vectors_are_measured_in_part(monkeypatch, name):
    monkeypatch.setattr(timing, "WHOLE_VALUES", SIZE)
    monkeypatch.setattr(timing, "SLICE_VALUES", SIZE // 2)
    side = LONG[name]()
    (times,) = timing.measure([side], 4 * SIZE, 9, lambda _: None)
    assert times.client.num_values == 4 * SIZE
    assert times.server.num_values == times.opening.num_values == SIZE // 2
    assert len(times.client.seconds) == len(times.opening.seconds) == 2
    assert times.message_bytes > 4 * SIZE * 2


@pytest.mark.slow
def test_a_wrong_sum_stops_the_suite():
    right = build_ours(side_lib.OURS_16, 16)
    wrong = right._replace(open=lambda *_: np.zeros([SIZE], np.float32))
    with pytest.raises(RuntimeError, match="must decrypt to the sum within"):
        timing.measure([wrong], SIZE, 1, lambda _: None)


@pytest.mark.slow
def test_peak_memory_is_that_of_encrypting():
    size = 400_000
    side = build_ours(side_lib.OURS_16, 16)
    found = memory_lib.measure(side, size)
    assert found.num_values == size
    assert found.message_bytes == side.seal_and_count(tf.zeros([size]))
    # What does not grow with the vector still weighs at this size: chunks, and what is
    # compiled for full ones.
    for peak in (found.peak_bytes, found.first_peak_bytes):
        assert found.message_bytes < peak < 3 * found.message_bytes + 80e6


def test_bars_compare_medians_and_turns():
    side = build_ours(side_lib.OURS_16, 16)
    stage = timing.Stage(SIZE, (1.0, 2.0, 4.0), (1.0, 2.0, 4.0))
    slow = timing.Stage(SIZE, (13.0, 23.0, 60.0), (0.0, 0.0, 0.0))
    ours = timing.Times(side, SIZE, 100, stage, stage, stage, 0.0)
    theirs = timing.Times(
        side._replace(name=side_lib.PEERS), SIZE, 1150, slow, slow, slow, 0.0
    )
    memory = memory_lib.Memory(SIZE, 301, 100, 999)
    client, bytes_, *_, last = bars.judge([ours, theirs], [memory, None])
    assert (client.ratio, client.low, client.high) == (11.5, 11.5, 15.0)
    assert not client.met and bytes_.met and bytes_.ratio == 11.5
    assert last.bar == "at most 3x" and not last.met


@pytest.mark.parametrize(
    ("side", "num_bytes", "opening", "met"),
    [
        (side_lib.OURS_PAD, 275, 10.0, (True, True)),
        (side_lib.OURS_PAD, 276, 10.1, (False, False)),
        (side_lib.OURS_DEVICE, 340, 1.0, (True, True)),
        (side_lib.OURS_DEVICE, 341, 1.1, (False, False)),
    ],
)
def test_limits_are_of_a_value_and_of_an_encryption(side, num_bytes, opening, met):
    client = timing.Stage(100, (1.0, 2.0, 4.0), (0.0, 0.0, 0.0))
    # Of half as many values.
    seconds = tuple(opening * one / 2 for one in client.seconds)
    open_ = timing.Stage(50, seconds, (0.0, 0.0, 0.0))
    named = build_ours(side_lib.OURS_16, 16)._replace(name=side)
    times = timing.Times(named, 100, num_bytes, client, client, open_, 0.0)
    found = bars.judge([times], [None])
    assert [item.kind for item in found] == ["bytes", "time"]
    assert tuple(item.met for item in found) == met
    assert [item.ratio for item in found] == pytest.approx([num_bytes / 100, opening])


def test_candidates_have_128_bit_security():
    limits = {1 << log: bits for log, bits in parameters.MAX_LOG_Q_128.items()}
    for setting in (*tenseal.CANDIDATES, tenseal.PEERS_SETTING):
        assert sum(setting.coeff_mod_bit_sizes) <= limits[setting.poly_modulus_degree]


@needs_tenseal
def test_search_takes_the_cheapest_that_is_accurate():
    tried = tenseal.search(FEW, lambda _: None)
    assert [item.accurate for item in tried] == [False, True, True]
    assert tenseal.best(tried) is tried[1]
    with pytest.raises(ValueError, match="accurate enough"):
        tenseal.best(tried[:1])
