"""A browser for what is looked at in one."""

import shutil
import subprocess

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def headless(tmp_path_factory):
    """`(address, width) -> (elements, complaints)`: a page after its scripts have run."""
    browser = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("No browser here: install the package chromium.")

    def show(address, width=1200):
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
                f"--window-size={width},900",
                "--virtual-time-budget=15000",
                "--enable-logging=stderr",
                "--dump-dom",
                address,
            ],
            capture_output=True,
            text=True,
            timeout=200,
            check=True,
        )
        return done.stdout, done.stderr

    return show
