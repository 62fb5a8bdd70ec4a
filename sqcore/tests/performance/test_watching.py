"""What asks for a second look before a result is used."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import pytest

from sqcore.encounters.models import Encounter
from sqcore.org.models import Post, Staff, Unit
from sqcore.performance.models import ResultsPolicy, ResultsRun, StaffResult
from sqcore.performance.watching import FAR, Part, far_from_others, has_changed, watched
from sqcore.tests.factories import NOW, make_post, make_staff, make_unit

STARTS_ON, ENDS_ON = date(2025, 3, 1), date(2026, 3, 1)
EARLY, LATE = date(2025, 6, 2), date(2026, 1, 5)
HONEST = [28, 30, 33, 29, 31, 27, 32, 30]


class TestShares:
    def test_of_honest_people_none_is_far_from_the_others(self) -> None:
        found = far_from_others({at: Part(n, 100) for at, n in enumerate(HONEST)}, fewest=8)

        assert sorted(found) == list(range(8))
        assert max(abs(z) for z in found.values()) < 1.0

    def test_one_of_whom_nearly_all_customers_answer_is_far(self) -> None:
        parts = {at: Part(n, 100) for at, n in enumerate([*HONEST, *HONEST, *HONEST, 90])}

        found = far_from_others(parts, fewest=8)

        assert [at for at, z in found.items() if abs(z) > FAR] == [24]

    def test_where_people_differ_much_anyway_a_difference_says_less(self) -> None:
        alike = {at: Part(n, 100) for at, n in enumerate([*HONEST, *HONEST, 60])}
        unlike = {at: Part(n, 100) for at, n in enumerate([10, 20, 40, 50] * 4 + [60])}

        assert far_from_others(alike, fewest=8)[16] > FAR > far_from_others(unlike, fewest=8)[16]

    def test_of_few_people_or_of_nothing_at_all_nothing_is_said(self) -> None:
        assert far_from_others({at: Part(30, 100) for at in range(7)}, fewest=8) == {}
        assert far_from_others({at: Part(0, 100) for at in range(9)}, fewest=8) == {}

    @pytest.mark.parametrize(
        ("before", "now", "is_changed"),
        [
            (Part(80, 100), Part(40, 50), False),
            (Part(80, 100), Part(25, 50), True),
            (Part(80, 100), Part(15, 29), False),
            (Part(800, 1000), Part(365, 500), False),
            (Part(20, 30), Part(15, 30), False),
        ],
        ids=["the same", "far fewer", "of too few", "too little to matter", "by chance"],
    )
    def test_a_change_must_matter_and_be_beyond_chance(
        self, before: Part, now: Part, is_changed: bool
    ) -> None:
        assert has_changed(before, now) is is_changed


# ---- Of a result ---------------------------------------------------------------------------------


@pytest.fixture
def results(db: None) -> list[StaffResult]:
    """Nine people of one unit and post; each served 40 customers alone, of whom 12 answered."""
    unit, post = make_unit("north"), make_post()
    policy = ResultsPolicy.objects.create(number=1, valid_from=STARTS_ON, made_at=NOW)
    run = ResultsRun.objects.create(
        ends_on=ENDS_ON, policy=policy, input_hash="", result_hash="", computed_at=NOW
    )
    found = []
    for number in range(9):
        staff = make_staff(f"90{number}")
        serve(staff, unit, 30, EARLY)
        serve(staff, unit, 10, LATE)
        found.append(result(run, staff, unit, post))
    return found


def result(run: ResultsRun, staff: Staff, unit: Unit, post: Post) -> StaffResult:
    return StaffResult.objects.create(
        run=run, staff=staff, unit=unit, post=post, measure="servqual/overall",
        starts_on=STARTS_ON, n=12, group="unit", verdict="few",
    )  # fmt: skip


def serve(staff: Staff, unit: Unit, count: int, on: date, others: Iterable[Staff] = ()) -> None:
    """Encounters of one person, or shared in equal parts."""
    people = [staff, *others]
    Encounter.objects.bulk_create(
        Encounter(
            key=f"{staff.number}-{on}-{len(people)}-{at}",
            unit=unit,
            staff=staff if len(people) == 1 else None,
            shares={str(each.pk): 10_000 // len(people) for each in people},
            on=on,
            arrived_at=datetime(on.year, on.month, on.day, 9, tzinfo=UTC),
            digest="0",
            recorded_at=NOW,
        )
        for at in range(count)
    )


def test_nothing_is_unusual_where_all_are_alike(results: list[StaffResult]) -> None:
    assert [watched(each) for each in results] == [[]] * 9


def test_too_many_and_too_few_answers_are_marked(results: list[StaffResult]) -> None:
    most, fewest = results[0], results[1]
    most.n, fewest.n = 40, 0
    StaffResult.objects.bulk_update([most, fewest], ["n"])

    assert watched(most) == ["answers-more"]
    assert watched(fewest) == ["answers-fewer"]
    assert watched(results[2]) == []


def test_encounters_that_are_suddenly_shared_are_marked(results: list[StaffResult]) -> None:
    odd, other = results[0], results[1]
    serve(odd.staff, odd.unit, 30, LATE, others=[other.staff])

    assert watched(odd) == ["attributed"]
    assert watched(results[2]) == []


def test_encounters_outside_the_window_do_not_count(results: list[StaffResult]) -> None:
    serve(results[0].staff, results[0].unit, 30, ENDS_ON, others=[results[1].staff])

    assert watched(results[0]) == []


def test_it_asks_four_questions(
    results: list[StaffResult], django_assert_num_queries: object
) -> None:
    kept = StaffResult.objects.select_related("run__policy").get(pk=results[0].pk)
    with django_assert_num_queries(4):  # type: ignore[operator]  # a fixture
        watched(kept)
