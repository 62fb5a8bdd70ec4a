import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.indicators.models import UnitOfMeasure
from sqcore.stats.dimensions import UNITS, UnitCheck, UnitStatus, check_units
from sqcore.stats.errors import StatisticsError
from sqcore.stats.formula import parse

KNOWN = {
    "wait": "min",
    "handling": "h",
    "gap": "s",
    "absence": "days",
    "errors": "share",
    "late": "%",
    "cases": "count",
    "staff": "count",
    "score": "points",
    "warmth": "points",
    "drills": "per month",
    "bare": "",
}


def check(text: str, declared: str = "") -> UnitCheck:
    return check_units(parse(text), KNOWN, declared)


def test_every_unit_of_the_catalogue_is_known() -> None:
    assert set(UNITS) == set(UnitOfMeasure.values)


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("1 - [errors]", "share"),
        ("100 - [late]", "%"),
        ("100 * [errors]", "%"),
        ("[late] / 100", "share"),
        ("[cases] / [staff]", "share"),
        ("[cases] / [staff]", "count"),
        ("1000 * [cases] / [staff]", "per 1000"),
        ("100 * ([cases] / [staff])", "per 100"),
        ("60 * [handling]", "min"),
        ("60 * [handling] + [wait]", "min"),
        ("[gap] / 60 + [wait]", "min"),
        ("[gap] * (1 / 60)", "min"),
        ("2 * 60 * [handling]", "min"),
        ("[absence] * 24 * 60", "min"),
        ("[wait] * [cases]", "min"),
        ("[wait] / [cases]", "min"),
        ("[wait] / ([wait] + 60 * [handling])", "share"),
        ("0.3 * [wait] + 0.7 * [wait]", "min"),
        ("max(0, [wait] - 60 * [handling])", "min"),
        ("min([wait], 30)", "min"),
        ("abs(-[wait])", "min"),
        ("([score] - 1) / 6 * 100", "points"),
        ("([score] + [warmth]) / 2", "points"),
        ("100 * [errors]", "points"),
        ("[score] / [warmth]", "share"),
        ("12 * [drills]", "per month"),
        ("[cases] * [errors]", "count"),
    ],
)
def test_what_goes_together_is_taken(text: str, declared: str) -> None:
    assert check(text, declared).status == UnitStatus.OK


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[wait] + [errors]", "“[wait]” (min) and “[errors]” (share) cannot be added"),
        ("[errors] - 2 * [wait]", "“[errors]” (share) and “2 * [wait]” (min) cannot be added"),
        ("[gap] + [wait]", "“[gap]” (s) and “[wait]” (min) cannot be added"),
        ("max([gap], [handling])", "“[gap]” (s) and “[handling]” (h) cannot be added or compared"),
        ("[cases] + [errors]", "“[cases]” (count) and “[errors]” (share) cannot be added"),
        ("[score] + [errors]", "“[score]” (points) and “[errors]” (share) cannot be added"),
        ("30 * [handling] + [wait]", "“30 * [handling]” (h) and “[wait]” (min) cannot be added"),
        ("1 + [wait]", "“1” is a plain number and cannot be added to “[wait]” (min)"),
        ("[drills] - 2", "“2” is a plain number and cannot be added to “[drills]” (per month)"),
    ],
)
def test_what_does_not_go_together_is_named_on_both_sides(text: str, said: str) -> None:
    found = check(text)

    assert found.is_refused
    assert said in found.reason


@pytest.mark.parametrize(
    ("text", "declared", "said"),
    [
        ("[handling]", "min", "the result is in h, and not in min"),
        ("1 - [errors]", "%", "the result is in share, and not in %"),
        ("[wait] * [wait]", "min", "the result is in min², and not in min"),
        ("[cases] / [wait]", "count", "the result is in 1/min, and not in count"),
        ("[cases] / [absence]", "per month", "the result is in 1/days, and not in per month"),
        ("[wait] / [handling]", "share", "the result is in number, and not in share"),
        ("60 * [handling]", "s", "the result is in min or h, and not in s"),
    ],
)
def test_a_result_in_another_unit_than_declared_is_refused(
    text: str, declared: str, said: str
) -> None:
    assert check(text, declared).reason == said


def test_what_has_no_unit_goes_with_everything_and_hides_only_itself() -> None:
    assert check("[bare] * 2", "min").status == UnitStatus.NOT_KNOWN
    assert check("[bare] + [wait]", "min").status == UnitStatus.OK
    assert check("[bare] + [wait] + [errors]").status == UnitStatus.UNLIKE


def test_zero_is_the_same_in_every_unit() -> None:
    assert check("0 + [wait]", "min").status == UnitStatus.OK


def test_a_result_without_a_declared_unit_tells_its_readings() -> None:
    assert check("60 * [handling]").units == ("min", "h")
    assert check("[wait] * [gap]").units == ("time²",)


def test_many_factors_stay_few_readings() -> None:
    found = check(" * ".join(["[handling]", *(str(n) for n in range(2, 60))]), "h")

    assert found.status in (UnitStatus.OK, UnitStatus.OTHER_RESULT)
    assert check("60 * [handling] * " + " * ".join(["1"] * 60), "min").status == UnitStatus.OK


def test_unknown_names_and_units_are_refused() -> None:
    with pytest.raises(StatisticsError, match="there is no unit of “speed”"):
        check("[speed]")
    with pytest.raises(StatisticsError, match="“furlongs” is no known unit"):
        check("[wait]", "furlongs")


@given(
    first=st.sampled_from(sorted(set(KNOWN) - {"bare"})),
    second=st.sampled_from(sorted(set(KNOWN) - {"bare"})),
    sign=st.sampled_from(["+", "-"]),
)
def test_only_equal_units_are_added(first: str, second: str, sign: str) -> None:
    found = check(f"[{first}] {sign} [{second}]")

    assert found.is_refused == (KNOWN[first] != KNOWN[second])


@given(name=st.sampled_from(sorted(set(KNOWN) - {"bare"})))
def test_a_ratio_of_equal_units_is_a_share(name: str) -> None:
    assert check(f"[{name}] / [{name}]", "share").status == UnitStatus.OK


@pytest.mark.parametrize(
    "text", ["[wait] * (1 / (0.1 + 0.2 - 0.3))", "1 / (0.1 + 0.2 - 0.3) * [wait]"]
)
def test_numbers_that_are_0_but_for_rounding_leave_the_unit_open(text: str) -> None:
    assert check(text, "min").status == UnitStatus.NOT_KNOWN
