"""Numbers out of which no computer makes points are refused where people write them."""

import pytest

from sqcore.indicators.shapes import Scoring, along, fault_of, in_the_middle


@pytest.mark.parametrize(
    ("scoring", "field"),
    [
        (in_the_middle(1e16, 10, 0.5), "best"),
        (in_the_middle(1e308, 1e308), "best"),
        (Scoring(-1e308, 1e308), "best"),
        (Scoring(0, 10, shape="target", limit=10), "best"),
        (along([(-1e308, 0), (1e308, 100)]), "knots"),
    ],
)
def test_numbers_too_close_together_or_too_far_apart_are_refused(
    scoring: Scoring, field: str
) -> None:
    fault = fault_of(scoring)

    assert fault is not None
    assert fault[0] == field
    assert "too close together" in fault[1]
