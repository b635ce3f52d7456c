import pkgutil
import subprocess
import sys

import pytest

from selenc_tf import catalog

HEAVY = ("tensorflow", "keras", "scipy", "sympy")
PLACES = [
    *(entry.score for entry in catalog.METRICS.values()),
    *(entry.build for entry in catalog.POLICIES.values()),
    *catalog.SELECTORS.values(),
    *catalog.MODELS.values(),
    *catalog.SCALES.values(),
    *(entry.choose for entry in catalog.CIPHERS.values()),
    *(entry.build for entry in catalog.CIPHERS.values()),
    *(
        place
        for entry in catalog.CIPHERS.values()
        if entry.per_client
        for place in (entry.per_client.choose, entry.per_client.build)
    ),
]


def test_names_and_checks_load_nothing_heavy():
    program = (
        "import sys; from selenc_tf import catalog, validation; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("place", PLACES)
def test_every_entry_is_there(place):
    assert callable(pkgutil.resolve_name(place))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: catalog.metric("magnitud"), "`metric` must be one of: magnitude, "),
        (lambda: catalog.policy("row", 0.1), "`policy` must be one of: top_fraction, "),
        (lambda: catalog.selector("tail"), "`selector` must be one of: head, "),
        (
            lambda: catalog.model("vgg", (8, 8, 1), 4, 0),
            "`model` must be one of: lenet",
        ),
        (lambda: catalog.scales("own", 1.0), "`scales` must be one of: public_bound, "),
        (
            lambda: catalog.cipher("ckks", 2, 8),
            "`cipher` must be one of: tf_shell_bgv, ",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()
