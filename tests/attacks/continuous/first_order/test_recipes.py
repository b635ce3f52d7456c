"""What a recipe may hold."""

import pytest

from attacks.continuous.first_order import recipes


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"distance": "l3"}, "`distance` must be one of"),
        ({"step": "big"}, "`step` must be one of"),
        ({"schedule": "linear"}, "`schedule` must be one of"),
        ({"initial": "cat"}, "`initial` must be one of"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive"),
        ({"warm_up": -1}, "`warm_up` must be at least 0"),
    ],
)
def test_bad_recipes_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        recipes.Recipe(**setting)
