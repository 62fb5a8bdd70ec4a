"""The checks that every method shares."""

import pytest

from sqcore.stats.arrays import integers
from sqcore.stats.errors import StatisticsError


def test_rows_of_different_length_are_refused_in_words() -> None:
    with pytest.raises(StatisticsError, match="values must have rows of one length"):
        integers([[1, 2], [3]], "values")
