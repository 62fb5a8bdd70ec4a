"""What somebody who holds the database learns of who answered what: nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Model
from hypothesis import given
from hypothesis import strategies as st

from sqcore.audit.models import AuditEntry
from sqcore.base.models import OutboxEvent
from sqcore.tests.encounters.factories import MORNING
from sqcore.tests.factories import make_channel, make_segment, make_staff, make_unit
from surveys.campaigns.models import Campaign
from surveys.invitations.crowd import Context, Crowd, told
from surveys.invitations.links import spent_digest, token_of
from surveys.invitations.models import Invitation, LastInvited, SpentLink
from surveys.invitations.services import (
    InvitedAnswer,
    draw_invitations,
    settle,
    submit_invited,
    withdraw_invitations,
)
from surveys.responses.models import Response
from surveys.tests.factories import SYSTEM, make_campaign
from surveys.tests.invitations.factories import (
    DAY,
    NOON,
    give_staff,
    invite,
    keys,
    make_a_plan,
    served,
)


def answer(campaign: Campaign, key: str, **over: Any) -> None:
    given = [InvitedAnswer(key, {"overall": 6}, **over)]
    assert submit_invited(campaign=campaign, answers=given, now=NOON).taken == 1


@pytest.mark.django_db
class TestTheDatabase:
    def test_holds_nothing_that_joins_an_answer_to_an_invitation(self) -> None:
        unit, li = make_unit("north"), make_staff("7")
        served(unit, keys("visit", 12), customer="0815")
        served(unit, keys("other", 12))
        give_staff("other-00003", li.pk)
        campaign = make_campaign()
        plan = make_a_plan(campaign)
        draw_invitations(plan=plan, now=NOON)
        invitation = Invitation.objects.get(encounter_key="other-00003")
        before = list(Invitation.objects.order_by("pk").values_list())

        answer(campaign, "other-00003")

        stored = _row(Response)
        of_the_answer = _values(stored, besides=("answered_on",))
        for row in Invitation.objects.filter(pk=invitation.pk).values():
            about = {row["encounter_key"], row["ref"], token_of(invitation)}
            assert not about & of_the_answer
        assert list(Invitation.objects.order_by("pk").values_list()) == before
        for name in ("encounter_key", "staff_id", "received_at", "external_key", "subject"):
            assert not stored.get(name)
        assert not _values(_row(SpentLink)) & of_the_answer

    def test_no_table_of_the_answers_or_marks_points_to_the_other(self) -> None:
        answers, marks = {Response}, {SpentLink}
        about_people = {Invitation, LastInvited, *marks}
        for model in apps.get_models():
            targets = {field.related_model for field in model._meta.concrete_fields}
            assert not targets & (answers | marks)
            assert not (model in answers and targets & about_people)
            assert not (model in marks and any(targets))

    def test_no_mark_can_be_computed_without_the_secret(self, settings: Any) -> None:
        mark = spent_digest(1, "visit")
        settings.SECRET_KEY = "another"

        assert spent_digest(1, "visit") != mark

    def test_leaves_no_trace_beside_the_answer(self) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        for key in keys("visit", 5):
            invite(campaign, key, unit)
        traces = AuditEntry.objects.count(), OutboxEvent.objects.count()

        answer(campaign, "visit-00000")

        assert (AuditEntry.objects.count(), OutboxEvent.objects.count()) == traces

    def test_keeps_the_marks_in_no_order_of_time(self) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        for key in keys("visit", 12):
            invite(campaign, key, unit)
            answer(campaign, key)

        assert settle(least=13) == 0
        assert settle(least=5) == 12
        assert settle(least=1) == 0

        assert _in_table_order() == sorted(_in_table_order())
        assert set(_in_table_order()) == {
            spent_digest(campaign.pk, key) for key in keys("visit", 12)
        }
        assert SpentLink.objects.filter(settled=True).count() == 12

    def test_a_settled_mark_still_counts(self) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        for key in keys("visit", 5):
            invite(campaign, key, unit)
            answer(campaign, key)
        settle(least=5)

        again = [InvitedAnswer(key, {"overall": 1}) for key in keys("visit", 5)]
        assert submit_invited(campaign=campaign, answers=again, now=NOON).already == 5
        assert Response.objects.count() == 5


def _row(model: type[Model]) -> dict[str, Any]:
    """Return the one row that there is, as it is stored."""
    return dict(model._default_manager.values().get())


def _values(row: dict[str, Any], *, besides: Sequence[str] = ()) -> set[str]:
    return {str(value) for name, value in row.items() if name not in {"id", *besides} and value}


def _in_table_order() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT digest FROM surveys_spentlink")  # as it lies there
        return [row[0] for row in cursor.fetchall()]


# ---- The crowd -----------------------------------------------------------------------------------


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 9), max_size=8), st.integers(3, 6))
def test_what_is_told_and_what_is_not_are_both_of_many(counts: dict[int, int], least: int) -> None:
    shown = told(counts, least=least)

    rest = sum(count for value, count in counts.items() if value not in shown)
    assert all(counts[value] >= least for value in shown)
    assert rest == 0 or rest >= least or not shown


PATHS = {1: [1, 10, 100], 2: [2, 10, 100], 3: [3, 20, 100], 4: [4, 20, 100]}
contexts = st.builds(
    Context, st.integers(1, 4), st.none() | st.integers(1, 3), st.none() | st.integers(1, 3)
)


@given(st.dictionaries(contexts, st.integers(1, 7), min_size=1, max_size=12), st.integers(3, 6))
def test_every_answer_could_belong_to_many_invitations(
    open_now: dict[Context, int], least: int
) -> None:
    """Of each answer that is possible: how many open invitations would give the same."""
    crowd = Crowd(open_now, path=PATHS.__getitem__, least=least)
    could_be = Counter[Context]()
    for exact, count in open_now.items():
        could_be[crowd.told(exact)] += count

    if sum(open_now.values()) >= least:
        assert min(could_be.values()) >= least
    else:
        assert set(could_be) <= {Context(100)}


def test_a_unit_with_few_open_invitations_is_told_with_its_neighbours() -> None:
    open_now = {Context(1): 8, Context(3): 2, Context(4): 4}
    crowd = Crowd(open_now, path=PATHS.__getitem__, least=5)

    assert crowd.told(Context(1)) == Context(1)
    assert crowd.told(Context(3)) == crowd.told(Context(4)) == Context(20)


@pytest.mark.django_db
class TestAnonymousAnswers:
    def test_say_their_channel_and_segment_where_many_share_them(self) -> None:
        bank = make_unit("bank")
        north, phone, rich = (
            make_unit("north", parent=bank),
            make_channel("phone"),
            make_segment("rich"),
        )
        campaign = make_campaign()
        for key in keys("many", 5):
            invite(campaign, key, north, channel=phone, segment=rich)

        answer(campaign, "many-00000")

        stored = Response.objects.get()
        assert (stored.unit, stored.channel, stored.segment) == (north, phone, rich)

    def test_keep_quiet_about_a_channel_of_few(self) -> None:
        north, phone, app = make_unit("north"), make_channel("phone"), make_channel("app")
        campaign = make_campaign()
        for key in keys("phone", 9):
            invite(campaign, key, north, channel=phone)
        for key in keys("app", 2):
            invite(campaign, key, north, channel=app)

        answer(campaign, "app-00000")
        answer(campaign, "phone-00000")

        assert [(one.unit, one.channel) for one in Response.objects.all()] == [(north, None)] * 2

    def test_count_for_the_unit_above_where_few_are_invited(self) -> None:
        bank = make_unit("bank")
        north, south = make_unit("north", parent=bank), make_unit("south", parent=bank)
        campaign = make_campaign()
        for key in keys("north", 3):
            invite(campaign, key, north)
        for key in keys("south", 4):
            invite(campaign, key, south)

        answer(campaign, "north-00000")

        assert Response.objects.get().unit == bank

    def test_hide_among_the_links_that_left_the_house(self) -> None:
        bank = make_unit("bank")
        north = make_unit("north", parent=bank)
        campaign = make_campaign()
        for key in keys("kept", 9):
            invite(campaign, key, north)
        for key in keys("sent", 3):
            invite(campaign, key, north, handed_out_on=NOON.date())

        answer(campaign, "sent-00000")
        assert Response.objects.get().unit == bank

    def test_do_not_hide_among_withdrawn_links(self) -> None:
        bank = make_unit("bank")
        north = make_unit("north", parent=bank)
        campaign = make_campaign()
        for key in keys("visit", 7):
            invite(campaign, key, north)
        withdraw_invitations(
            campaign=campaign, encounter_keys=keys("visit", 3), by=SYSTEM, now=NOON
        )

        answer(campaign, "visit-00006")

        assert Response.objects.get().unit == bank

    def test_of_links_that_expire_together(self) -> None:
        served(make_unit("north"), ["monday"])
        plan = make_a_plan(make_campaign(), valid_days=10, delay_h=0)
        draw_invitations(plan=plan, now=NOON)
        served(make_unit("south"), ["wednesday"], at=MORNING + 2 * DAY)
        draw_invitations(plan=plan, now=NOON + 2 * DAY)

        ends = set(Invitation.objects.values_list("valid_until", flat=True))
        assert [end.isoformat() for end in ends] == ["2026-03-16"]
        assert all(end - NOON.date() >= timedelta(days=10) for end in ends)
