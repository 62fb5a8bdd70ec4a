"""Who is invited, and why the others are not."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sqcore.encounters.models import Encounter, Service
from sqcore.org.models import Unit
from sqcore.tests.encounters.factories import MORNING
from sqcore.tests.factories import make_channel, make_segment, make_unit
from surveys.campaigns.models import Campaign
from surveys.invitations.links import lot_of
from surveys.invitations.models import Drawing, Invitation, LastInvited
from surveys.invitations.sampling import Candidate, Draw, Fate, Rules, monday_of
from surveys.invitations.services import draw_all, draw_invitations
from surveys.tests.factories import make_campaign, make_version
from surveys.tests.invitations.factories import DAY, MONDAY, NOON, keys, make_a_plan, served

HOUR = timedelta(hours=1)


@pytest.fixture
def north(db: None) -> Unit:
    return make_unit("north", parent=make_unit("bank"))


def invited() -> set[str]:
    return set(Invitation.objects.values_list("encounter_key", flat=True))


# ---- Chance --------------------------------------------------------------------------------------


def test_the_share_that_is_drawn_is_the_share_that_was_asked_for() -> None:
    lots = [lot_of("visits", key) for key in keys("visit", 20_000)]

    for share in (0.01, 0.15, 0.5, 0.9):
        drawn = sum(lot < share for lot in lots)
        low, high = stats.binom.interval(0.9999, len(lots), share)
        assert low <= drawn <= high
    assert stats.kstest(lots, "uniform").pvalue > 0.0001


def test_two_campaigns_draw_independently() -> None:
    first = [lot_of("visits", key) < 0.5 for key in keys("visit", 20_000)]
    second = [lot_of("calls", key) < 0.5 for key in keys("visit", 20_000)]
    both = sum(a and b for a, b in zip(first, second, strict=True))

    low, high = stats.binom.interval(0.9999, 20_000, 0.25)
    assert low <= both <= high


def test_a_lot_depends_on_the_secret(settings: pytest.FixtureRequest) -> None:
    before = lot_of("visits", "a")
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]  # pytest-django's settings

    assert lot_of("visits", "a") != before
    assert 0 <= lot_of("visits", "a") < 1


def test_drawing_anew_invites_the_same(north: Unit) -> None:
    served(north, keys("visit", 200))
    plan = make_a_plan(make_campaign(), share=Decimal("30"))
    first = draw_invitations(plan=plan, now=NOON)
    chosen = invited()
    Invitation.objects.all().delete()
    LastInvited.objects.all().delete()
    type(plan).objects.update(looked_at=None)

    second = draw_invitations(plan=plan, now=NOON)

    assert invited() == chosen
    assert first.invited == second.invited == len(chosen)
    assert 35 <= len(chosen) <= 85


def test_drawing_twice_invites_nobody_more(north: Unit) -> None:
    served(north, keys("visit", 50))
    plan = make_a_plan(make_campaign())
    draw_invitations(plan=plan, now=NOON)

    again = draw_invitations(plan=plan, now=NOON)
    later = draw_invitations(plan=plan, now=NOON + HOUR)

    assert (again.invited, later.invited) == (0, 0)
    assert Invitation.objects.count() == 50
    assert Drawing.objects.get().invited == 50


# ---- Which encounters ----------------------------------------------------------------------------


def test_only_what_the_plan_is_about_is_drawn(north: Unit) -> None:
    south = make_unit("south")
    counter, phone = make_channel("counter"), make_channel("phone")
    rich, loans = make_segment("rich"), Service.objects.create(code="loans", name={"en": "Loans"})
    here: dict[str, Any] = {"channel_id": counter.pk, "segment_id": rich.pk, "service_id": loans.pk}
    served(north, ["meant"], **here)
    served(south, ["elsewhere"], **here)
    served(north, ["by-phone"], **here | {"channel_id": phone.pk})
    served(north, ["not-rich"], **here | {"segment_id": None})
    served(north, ["no-loan"], **here | {"service_id": None})
    bank = Unit.objects.get(code="bank")
    plan = make_a_plan(
        make_campaign(), below=bank, channels=[counter], segments=[rich], services=[loans]
    )

    draw_invitations(plan=plan, now=NOON)

    [made] = Invitation.objects.all()
    assert made.encounter_key == "meant"
    assert (made.unit, made.channel, made.segment) == (north, counter, rich)
    assert (made.invited_on, made.encounter_on) == (MONDAY, MONDAY)


def test_nobody_is_invited_before_the_delay_is_over(north: Unit) -> None:
    served(north, ["a"])
    plan = make_a_plan(make_campaign(), delay_h=24)

    early = draw_invitations(plan=plan, now=MORNING + 23 * HOUR)
    due = draw_invitations(plan=plan, now=MORNING + 24 * HOUR)

    assert (early.invited, due.invited) == (0, 1)


def test_what_becomes_known_late_is_invited_until_it_is_too_old(north: Unit) -> None:
    plan = make_a_plan(make_campaign(), oldest_days=3)
    draw_invitations(plan=plan, now=NOON)
    served(north, ["late"])
    served(north, ["too-late"], at=MORNING - 1 * DAY)
    Encounter.objects.update(recorded_at=NOON + 2 * DAY + 20 * HOUR)

    drawn = draw_invitations(plan=plan, now=NOON + 3 * DAY)

    assert invited() == {"late"}
    assert drawn.too_old == 1
    assert Drawing.objects.get().too_old == 1


def test_what_was_committed_late_is_not_missed(north: Unit) -> None:
    plan = make_a_plan(make_campaign())
    draw_invitations(plan=plan, now=NOON)
    served(north, ["slow"])
    Encounter.objects.update(recorded_at=NOON - timedelta(minutes=20))

    drawn = draw_invitations(plan=plan, now=NOON + HOUR)

    assert drawn.invited == 1


def test_a_plan_draws_in_its_days_only(north: Unit) -> None:
    for at in range(4):
        served(north, [f"day-{at}"], at=MORNING + at * DAY)
    plan = make_a_plan(make_campaign(), starts_on=MONDAY + DAY, ends_on=MONDAY + 3 * DAY)

    draw_invitations(plan=plan, now=NOON + 5 * DAY)

    assert invited() == {"day-1", "day-2"}


@pytest.mark.parametrize(
    "over",
    [
        {"state": Campaign.State.DRAFT},
        {"state": Campaign.State.CLOSED},
        {"opens_on": date(2026, 4, 1)},
        {"closes_on": MONDAY},
    ],
)
def test_a_campaign_that_takes_no_answers_invites_nobody(
    north: Unit, over: dict[str, object]
) -> None:
    campaign = make_campaign()
    plan = make_a_plan(campaign)
    Campaign.objects.update(**over)
    served(north, ["a"])

    assert draw_invitations(plan=plan, now=NOON).invited == 0
    assert draw_all(now=NOON) == 0


def test_unknown_customers_are_left_out_when_the_plan_says_so(north: Unit) -> None:
    served(north, ["unknown"])
    served(north, ["known"], customer="0815")
    plan = make_a_plan(make_campaign(), with_unknown=False)

    drawn = draw_invitations(plan=plan, now=NOON)

    assert invited() == {"known"}
    assert drawn.fates[Fate.UNKNOWN] == 1


# ---- Recontact -----------------------------------------------------------------------------------


def test_a_customer_is_not_asked_again_by_any_campaign(north: Unit) -> None:
    version = make_version()
    visits = make_a_plan(make_campaign(version=version), recontact_days=30)
    calls = make_a_plan(make_campaign("calls", version=version), recontact_days=30)
    served(north, ["first", "same-moment"], customer="0815")
    served(north, ["other"], customer="0816")

    first = draw_invitations(plan=visits, now=NOON)
    second = draw_invitations(plan=calls, now=NOON)

    assert first.invited == 2
    assert (first.fates[Fate.RECENT], second.fates[Fate.RECENT]) == (1, 3)
    assert Invitation.objects.count() == 2


def test_after_the_days_of_rest_a_customer_is_asked_again(north: Unit) -> None:
    plan = make_a_plan(make_campaign(), recontact_days=30)
    for at in (0, 29, 30):
        served(north, [f"after-{at}"], at=MORNING + at * DAY, customer="0815")
        draw_invitations(plan=plan, now=NOON + at * DAY)

    assert invited() == {"after-0", "after-30"}
    assert LastInvited.objects.get().on == MONDAY + 30 * DAY


# ---- Quotas --------------------------------------------------------------------------------------


def test_a_unit_gets_at_most_its_quota_a_week(north: Unit) -> None:
    plan = make_a_plan(make_campaign(), most=10)
    for at in range(7):
        served(north, keys(f"day-{at}", 20), at=MORNING + at * DAY)
        draw_invitations(plan=plan, now=NOON + at * DAY)
    served(north, keys("next-week", 20), at=MORNING + 7 * DAY)
    draw_invitations(plan=plan, now=NOON + 7 * DAY)

    by_day = Counter(key[:5] for key in invited())
    assert by_day == {"day-0": 2, "day-1": 2, "day-2": 2, "day-3": 2, "day-4": 2, "next-": 2}


def test_a_week_drawn_at_once_is_drawn_as_day_by_day(north: Unit) -> None:
    for at in range(7):
        served(north, keys(f"day-{at}", 9), at=MORNING + at * DAY)
    daily = make_a_plan(make_campaign(), most=10, share=Decimal(60))
    for at in range(7):
        draw_invitations(plan=daily, now=NOON + at * DAY)
    by_day = invited()
    Invitation.objects.all().delete()
    type(daily).objects.update(looked_at=None)

    draw_invitations(plan=daily, now=NOON + 7 * DAY)

    assert invited() == by_day
    assert len(by_day) == 10


def test_a_week_is_filled_up_to_the_least_number_when_it_is_over(north: Unit) -> None:
    south = make_unit("south")
    served(north, keys("north", 30))
    served(south, keys("south", 3))
    plan = make_a_plan(make_campaign(), share=Decimal("0.01"), least=8)
    during = draw_invitations(plan=plan, now=NOON)

    over = draw_invitations(plan=plan, now=NOON + 7 * DAY)

    by_unit = Counter(key[:5] for key in invited())
    assert during.invited == 0
    assert by_unit == {"north": 8, "south": 3}
    assert over.invited == 11
    smallest = sorted(keys("north", 30), key=lambda key: lot_of("visits", key))[:8]
    assert {key for key in invited() if key.startswith("north")} == set(smallest)
    assert draw_invitations(plan=plan, now=NOON + 8 * DAY).invited == 0


encounters = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 2),
        st.integers(0, 20),
        st.floats(0, 1, exclude_max=True),
    ),
    max_size=60,
)


@given(
    encounters,
    st.integers(1, 100),
    st.integers(0, 5),
    st.none() | st.integers(5, 9),
    st.integers(0, 30),
)
def test_no_rule_is_ever_broken(
    drawn: list[tuple[int, int, int, float]],
    share: int,
    least: int,
    most: int | None,
    rest: int,
) -> None:
    """Customer 0 is not known."""
    rules = Rules(share / 100, least, most, rest, with_unknown=True)
    draw, asked = Draw(rules), list[tuple[int, date]]()
    for day in sorted({row[2] for row in drawn}):
        on = MONDAY + day * DAY
        today = [
            Candidate(f"{at}", row[0] or None, row[1], None, None, on, row[3])
            for at, row in enumerate(drawn)
            if row[2] == day
        ]
        before = len(draw.invited)
        left = draw.decide(today, invited_on=on)
        assert all(one.lot < rules.share for one in draw.invited[before:])
        draw.fill_up(left, invited_on=on)
        asked += [(one.customer_id, on) for one in draw.invited[before:] if one.customer_id]

    assert len({one.key for one in draw.invited}) == len(draw.invited)
    weeks = Counter((one.unit_id, monday_of(one.on)) for one in draw.invited)
    assert weeks == draw.taken
    assert most is None or all(count <= most for count in weeks.values())
    for customer in {who for who, _on in asked}:
        days = sorted(on for who, on in asked if who == customer)
        gaps = [(b - a).days for a, b in pairwise(days)]
        assert all(gap >= rest for gap in gaps)
