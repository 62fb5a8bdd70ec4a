"""The chart and the list of signals as people see them, and what they write on a chart."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.indicators.models import UnitOfMeasure
from sqcore.monitoring.models import Annotation, Baseline, Signal, Watch
from sqcore.monitoring.services import annotate, mute_signal
from sqcore.org.models import Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import give_role, make_unit, make_user
from sqcore.tests.monitoring.series import MIDDLE, Series, leaf, make_series, quiet, shifted
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db

CHART = "/quality/charts/bank/north/waiting/"
SIGNALS = "/quality/signals/"
SOON = timezone.localdate() + timedelta(days=30)


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


@pytest.fixture
def bank(north: Unit) -> Series:
    """Waiting takes 9 minutes in weeks 1 to 40 and 3 sigma more after.

    The sum is .064 in week 40, then 2, 5.064, 7 and in week 44 10.064: the alarm.
    """
    bank = make_series(
        leaf("waiting", unit_of_measure=UnitOfMeasure.MINUTES.value, target=8.0, statistic="mean")
    )
    bank.put(north, shifted(quiet(60), 3, since=41), error=0.5)
    bank.watch(44)
    bank.watch(60)
    return bank


def person(username: str, role: Role, unit: Unit | None = None) -> User:
    user = make_user(username)
    give_role(user, role, unit)
    return user


def client_of(user: User, **options: bool) -> Client:
    client = Client(**options)  # type: ignore[arg-type]  # options of the test client
    client.force_login(user)
    return client


def page(user: User, path: str, *, status: int = 200) -> str:
    response = client_of(user).get(path)
    assert response.status_code == status, response.content
    html = response.content.decode()
    assert faults_of(html) == []
    return html


def words(html: str) -> str:
    """What a person reads, on one line."""
    shown = html[html.index("<main") : html.index("</main>")]
    shown = re.sub(r"<script.*?</script>", " ", shown, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", shown)).split())


def send(
    user: User,
    do: str,
    *,
    status: int = 302,
    fields: Mapping[str, str] | None = None,
    **more: object,
) -> str:
    """What the page says after this was posted on the chart."""
    path = CHART
    response = client_of(user).post(path, {"do": do, **(fields or {}), **more})
    assert response.status_code == status, response.content.decode()[:2000]
    if status == 302:
        assert response["Location"] == path
        return words(client_after(user, path))
    html = response.content.decode()
    assert faults_of(html) == []
    return words(html)


def client_after(user: User, path: str) -> str:
    return client_of(user).get(path).content.decode()


class TestChart:
    def test_says_value_limits_and_what_the_rules_say(self, bank: Series, north: Unit) -> None:
        text = words(page(person("ana", Role.ANALYST), CHART))

        # Week 60 is even: 10 and 3 sigma of 1.7725
        assert "week 8 of 2025 15.3 min 95 % interval 14.3 – 16.3 · 40 encounters" in text
        assert "target 8.0 min" in text
        assert "Worse: it went up The latest point is higher than chance explains" in text
        assert (
            "Reaches its target by chance The target lies between the limits: whether it is "
            "reached is chance. That was so before the change" in text
        )
        assert (
            "Kind of chart XmR chart (single values) Why this kind Each period is a mean of" in text
        )
        assert "Rules NHS (Making Data Count), version 1 Centre 9.0 min" in text
        assert "Limits of the latest period 3.7 min to 14.3 min" in text
        assert "Baseline 26 periods: week 1 of 2024 to week 26 of 2024" in text
        assert "by the software, as soon as there were enough periods" in text

    def test_has_every_period_in_its_table_with_the_flags_in_words(
        self, bank: Series, north: Unit
    ) -> None:
        text = words(page(person("ana", Role.ANALYST), CHART))

        assert "Period Value encounters Lower limit Centre Upper limit What it says" in text
        assert "week 1 of 2024 8.0 min 40 3.7 9.0 14.3 week 2 of 2024 10.0 min 40" in text
        run = "one of 7 or more in a row above the centre"
        # Seven in a row are complete with week 46, the 7th from week 40 on.
        assert (
            f"week 41 of 2024 13.3 min 40 3.7 9.0 14.3 {run} (to be seen from week 46 of 2024 on)"
            in text
        )
        assert "week 42 of 2024 15.3 min 40 3.7 9.0 14.3 above the upper limit; one of 7" in text

    def test_tells_of_its_signal(self, bank: Series, north: Unit) -> None:
        text = words(page(person("ana", Role.ANALYST), CHART))

        # From week 44 to 60 nine even periods and eight odd ones: 3 sigma and 1/17 above 9
        assert "Signals of this series Ongoing 5.4 min higher (3.0 sigma)" in text
        assert "since about week 40 of 2024, found with week 44 of 2024" in text
        assert "Found · week 44 of 2024" in text

    def test_draws_what_the_words_say(self, bank: Series, north: Unit) -> None:
        html = page(person("ana", Role.ANALYST), CHART)

        for sign in ("line", "limits", "target", "concern+1", "span"):
            assert f'data-sign="{sign}"' in html
        assert 'data-sign="trial"' not in html
        assert '"symbol": "triangle-up"' in html

    def test_says_that_trial_limits_are_rough(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, quiet(12))

        html = page(person("ana", Role.ANALYST), CHART)

        assert "Trial limits from 12 periods: with fewer than 20 they are rough." in words(html)
        assert "None is frozen yet." in words(html)
        assert 'data-sign="trial"' in html

    def test_says_that_there_is_not_enough(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, quiet(3))

        text = words(page(person("ana", Role.ANALYST), CHART))

        assert (
            "Not enough data yet Limits need at least 5 periods with a figure; there are 3." in text
        )

    def test_says_why_a_period_has_no_value(self, bank: Series, north: Unit) -> None:
        bank.put(north, [None, 9.0], first=61)

        text = words(page(person("ana", Role.ANALYST), CHART))

        assert "week 9 of 2025 too few answers to show" in text

    def test_other_rules_can_be_asked_for(self, bank: Series, north: Unit) -> None:
        text = words(page(person("ana", Role.ANALYST), f"{CHART}?profile=nelson"))

        assert "Rules Nelson, version 1" in text
        assert "one of 9 or more in a row above the centre" in text

    def test_opens_by_month_where_there_are_no_weeks(self, north: Unit) -> None:
        bank = make_series(grain=Grain.MONTH)
        bank.put(north, quiet(25))

        text = words(page(person("ana", Role.ANALYST), f"{CHART}?grain=week"))

        assert "January 2026" in text

    def test_an_outsider_does_not_learn_that_there_is_one(self, bank: Series, north: Unit) -> None:
        south = make_unit("south")
        chen = person("chen", Role.MANAGER, south)

        there = page(chen, CHART, status=404)
        not_there = page(chen, "/quality/charts/bank/nowhere/waiting/", status=404)

        assert words(there) == words(not_there)
        page(chen, "/quality/charts/bank/south/waiting/", status=404)

    def test_staff_read_and_are_offered_no_acts(self, bank: Series, north: Unit) -> None:
        html = page(person("li", Role.STAFF, north), CHART)

        for act in ("annotate", "mute", "rebase", "withdraw"):
            assert f'name="do" value="{act}"' not in html

    def test_costs(
        self, bank: Series, north: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = client_of(person("mei", Role.MANAGER, north))
        client.get(CHART)  # From now on the rules of the organisation are remembered.
        with django_assert_max_num_queries(24):
            client.get(CHART)


class TestWriting:
    def test_a_manager_writes_what_happened(self, bank: Series, north: Unit) -> None:
        mei = person("mei", Role.MANAGER, north)

        text = send(
            mei,
            "annotate",
            fields={
                "note-kind": "event",
                "note-text": "The ticket machine was replaced",
                "note-starts_on": "2024-10-07",
                "note-last_on": "2024-10-08",
                "note-reach": "code",
            },
        )

        made = Annotation.objects.get()
        assert (made.unit, made.code, made.kind) == (north, "waiting", "event")
        assert (made.starts_on, made.ends_on) == (date(2024, 10, 7), date(2024, 10, 9))
        assert "A The ticket machine was replaced Event · 7 Oct 2024 – 8 Oct 2024 · Mei" in text
        assert AuditEntry.objects.filter(action="annotation.written").count() == 1

    def test_what_is_excluded_is_hollow_and_has_its_reason(self, bank: Series, north: Unit) -> None:
        ana = person("ana", Role.ANALYST)

        text = send(
            ana,
            "annotate",
            fields={
                "note-kind": "exclusion",
                "note-text": "A strike",
                "note-starts_on": bank.start(60).isoformat(),
                "note-last_on": bank.start(60).isoformat(),
                "note-reach": "unit",
            },
        )

        assert Annotation.objects.get().code == ""
        assert "week 8 of 2025 15.3 min 40 3.7 9.0 14.3 left out: A strike" in text
        assert '"symbol": "circle-open"' in client_after(ana, CHART)

    def test_a_manager_takes_nothing_out_of_their_own_chart(
        self, bank: Series, north: Unit
    ) -> None:
        mei = person("mei", Role.MANAGER, north)
        day = bank.start(60).isoformat()
        fields = {"note-kind": "exclusion", "note-text": "A strike", "note-starts_on": day}

        page = client_after(mei, CHART)
        client = Client()
        client.force_login(mei)
        answer = client.post(
            CHART, {"do": "annotate", **fields, "note-last_on": day, "note-reach": "unit"}
        )

        assert 'value="exclusion"' not in page
        assert answer.status_code == 403
        assert not Annotation.objects.exists()

    def test_says_what_is_wrong_beside_the_field(self, bank: Series, north: Unit) -> None:
        mei = person("mei", Role.MANAGER, north)

        text = send(
            mei,
            "annotate",
            status=400,
            fields={
                "note-kind": "event",
                "note-text": "",
                "note-starts_on": "2024-10-08",
                "note-last_on": "2024-10-07",
                "note-reach": "code",
            },
        )

        assert "Text : This field is required." in text
        assert "Last day : The last day is before the first." in text
        assert not Annotation.objects.exists()

    def test_takes_an_annotation_off(self, bank: Series, north: Unit) -> None:
        mei = person("mei", Role.MANAGER, north)
        note = annotate(
            kind="event",
            unit=north,
            code="waiting",
            starts_on=bank.start(41),
            ends_on=bank.start(42),
            text="A fair in town",
            by=principal_for(mei, on=date(2025, 1, 1)),
            now=bank.after(60),
        )

        text = send(mei, "withdraw", row=note.pk)

        note.refresh_from_db()
        assert note.withdrawn_by == mei
        assert "A fair in town" not in text

    def test_mutes_a_signal_and_lets_it_speak_again(self, bank: Series, north: Unit) -> None:
        mei = person("mei", Role.MANAGER, north)
        signal = Signal.objects.get()

        text = send(mei, "mute", row=signal.pk, until=SOON.isoformat(), reason="Rebuilding")

        signal.refresh_from_db()
        assert (signal.muted_until, signal.muted_by) == (SOON, mei)
        assert "(Mei): Rebuilding" in text

        text = send(mei, "unmute", row=signal.pk)

        signal.refresh_from_db()
        assert signal.muted_until is None
        assert "No longer muted · week 8 of 2025 · Mei" in text

    def test_refuses_to_mute_until_a_day_gone_by(self, bank: Series, north: Unit) -> None:
        mei = person("mei", Role.MANAGER, north)
        signal = Signal.objects.get()

        text = send(mei, "mute", status=400, row=signal.pk, until="2020-01-01", reason="No")

        assert "Mute a signal until a day to come, at most a year ahead." in text
        signal.refresh_from_db()
        assert signal.muted_until is None

    def test_a_manager_proposes_and_an_analyst_decides(self, bank: Series, north: Unit) -> None:
        mei, ana = person("mei", Role.MANAGER, north), person("ana", Role.ANALYST)
        asked = {
            "base-starts_on": bank.start(41).isoformat(),
            "base-last_on": (bank.start(57) - timedelta(days=1)).isoformat(),
            "base-applies_from": bank.start(57).isoformat(),
            "base-reason": "One desk is closed for good",
        }

        said = send(mei, "rebase", fields=asked)

        proposal = Baseline.objects.get(state="proposed")
        assert "proposed by Mei on" in said
        assert "Put it in force" not in said

        said = send(ana, "accept", row=proposal.pk)

        proposal.refresh_from_db()
        assert (proposal.state, proposal.decided_by) == ("in_force", ana)
        assert (
            "week 5 of 2025 in force week 41 of 2024 to week 4 of 2025 (16) "
            "XmR chart (single values) 14.3 min" in said
        )
        assert "Set anew by a person: One desk is closed for good" in said

    def test_an_analyst_declines(self, bank: Series, north: Unit) -> None:
        mei, ana = person("mei", Role.MANAGER, north), person("ana", Role.ANALYST)
        send(
            mei,
            "rebase",
            fields={
                "base-starts_on": bank.start(41).isoformat(),
                "base-last_on": (bank.start(57) - timedelta(days=1)).isoformat(),
                "base-applies_from": bank.start(57).isoformat(),
                "base-reason": "It is easier so",
            },
        )
        proposal = Baseline.objects.get(state="proposed")

        said = send(ana, "decline", row=proposal.pk)

        assert "declined by Ana on" in said
        assert Baseline.objects.in_force().get().origin == "first"

    def test_says_why_a_baseline_is_too_short(self, bank: Series, north: Unit) -> None:
        ana = person("ana", Role.ANALYST)

        text = send(
            ana,
            "rebase",
            status=400,
            fields={
                "base-starts_on": bank.start(41).isoformat(),
                "base-last_on": (bank.start(44) - timedelta(days=1)).isoformat(),
                "base-applies_from": bank.start(44).isoformat(),
                "base-reason": "Quick",
            },
        )

        assert "A baseline needs 12 periods with a figure; there are 3." in text
        assert Baseline.objects.count() == 1

    def test_nothing_changes_without_the_token_of_the_form(self, bank: Series, north: Unit) -> None:
        mei = person("mei", Role.MANAGER, north)
        client = client_of(mei, enforce_csrf_checks=True)

        response = client.post(
            CHART, {"do": "mute", "row": Signal.objects.get().pk, "until": SOON, "reason": "x"}
        )

        assert response.status_code == 403
        assert Signal.objects.get().muted_until is None

    @pytest.mark.parametrize("do", ["annotate", "mute", "rebase"])
    def test_staff_are_refused_and_nothing_changes(
        self, bank: Series, north: Unit, do: str
    ) -> None:
        li = person("li", Role.STAFF, north)
        fields = {
            "row": Signal.objects.get().pk,
            "until": SOON.isoformat(),
            "reason": "x",
            "note-kind": "event",
            "note-text": "x",
            "note-starts_on": "2024-10-07",
            "note-last_on": "2024-10-07",
            "note-reach": "code",
            "base-starts_on": bank.start(41).isoformat(),
            "base-last_on": (bank.start(57) - timedelta(days=1)).isoformat(),
            "base-applies_from": bank.start(57).isoformat(),
            "base-reason": "x",
        }

        response = client_of(li).post(CHART, {"do": do, **fields})

        assert response.status_code == 403
        assert not Annotation.objects.exists()
        assert Baseline.objects.count() == 1
        assert Signal.objects.get().muted_until is None

    def test_an_outsider_writes_nothing(self, bank: Series, north: Unit) -> None:
        chen = person("chen", Role.MANAGER, make_unit("south"))

        response = client_of(chen).post(CHART, {"do": "unmute", "row": Signal.objects.get().pk})

        assert response.status_code == 404
        assert not AuditEntry.objects.filter(action__startswith="signal.").exists()

    def test_what_is_not_offered_is_refused(self, bank: Series, north: Unit) -> None:
        response = client_of(person("ana", Role.ANALYST)).post(CHART, {"do": "explode"})

        assert response.status_code == 400


class TestSignals:
    def test_lists_what_where_since_when_and_how_much(self, bank: Series, north: Unit) -> None:
        html = page(person("ana", Role.ANALYST), SIGNALS)

        assert (
            "Waiting North week 40 of 2024 found with week 44 of 2024 5.4 min higher (3.0 sigma) "
            "hardly by chance (q < 0.01) Ongoing" in words(html)
        )
        assert f'href="{CHART}?grain=week"' in html

    def test_says_what_chance_alone_would_give(self, bank: Series, north: Unit) -> None:
        Watch.objects.update(
            judged=200, found_so_far=19, expected_so_far=14.28, expected_a_year=10.87
        )

        text = words(page(person("ana", Role.ANALYST), SIGNALS))

        assert (
            "Bank by week 19 signals found in 200 series so far; chance alone would have given "
            "about 14. Expect about 11 that mean nothing in a year from now. That is about what "
            "chance gives: look twice before you act on a single one." in text
        )

    def test_says_that_more_were_found_than_chance_gives(self, bank: Series, north: Unit) -> None:
        Watch.objects.update(judged=20, found_so_far=5, expected_so_far=0.8, expected_a_year=0.66)

        text = words(page(person("ana", Role.ANALYST), SIGNALS))

        assert "chance alone would have given about 0.8." in text
        assert "That is more than chance gives: some of them are real." in text

    def test_shows_the_open_ones_unless_asked(self, bank: Series, north: Unit) -> None:
        Signal.objects.update(state="recovered", recovered_on=bank.start(60))
        ana = person("ana", Role.ANALYST)

        assert "None of these" in words(page(ana, SIGNALS))
        assert "Recovered" in words(page(ana, f"{SIGNALS}?state=all"))
        assert "5.4 min higher" in words(page(ana, f"{SIGNALS}?state=recovered"))

    def test_filters_by_unit_and_indicator_and_muting(self, bank: Series, north: Unit) -> None:
        mei = person("mei", Role.MANAGER, north)
        ana = person("ana", Role.ANALYST)

        assert "5.4 min" in words(page(ana, f"{SIGNALS}?unit=north&code=waiting"))
        assert "5.4 min" not in words(page(ana, f"{SIGNALS}?unit=south"))
        assert "5.4 min" not in words(page(ana, f"{SIGNALS}?code=other"))
        assert "5.4 min" not in words(page(ana, f"{SIGNALS}?state=muted"))
        mute_signal(
            signal_id=Signal.objects.get().pk,
            until=SOON,
            reason="Rebuilding",
            by=principal_for(mei, on=timezone.localdate()),
            now=timezone.now(),
        )
        assert "Ongoing muted" in words(page(ana, f"{SIGNALS}?state=muted"))

    def test_explains_itself_while_there_is_nothing(self, north: Unit) -> None:
        text = words(page(person("ana", Role.ANALYST), SIGNALS))

        assert "No signal so far Every indicator is watched at every unit, once it has" in text

    def test_a_manager_of_another_unit_sees_none(self, bank: Series, north: Unit) -> None:
        chen = person("chen", Role.MANAGER, make_unit("south"))

        text = words(page(chen, SIGNALS))

        assert "No signal so far" in text
        assert "North" not in text

    def test_who_has_no_role_is_refused(self, bank: Series) -> None:
        page(make_user("nobody"), SIGNALS, status=403)

    def test_costs_no_more_with_more_signals(
        self, bank: Series, north: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for code in ("east", "west", "south"):
            bank.put(make_unit(code), shifted(quiet(60), 3, since=41))
        bank.revise(north, 60, 15.0)
        bank.watch(60, later=timedelta(hours=1))
        assert Signal.objects.count() == 4
        client = client_of(person("ana", Role.ANALYST))
        client.get(SIGNALS)
        with django_assert_max_num_queries(15):
            client.get(SIGNALS)


def test_pages_ask_for_the_log_in() -> None:
    for path in (CHART, SIGNALS):
        assert Client().get(path).status_code == 302


def test_the_chart_says_why_what_is_best_in_the_middle_is_not_watched(north: Unit) -> None:
    bank = make_series(MIDDLE)
    bank.put(north, shifted(quiet(44), 5, since=44))
    bank.watch(44)

    text = words(page(person("ana", Role.ANALYST), CHART))

    assert "Changed beyond chance" in text
    assert "whether that is good its points say, not the side" in text
    assert "changed: high" in text
    assert "Watched No: its best is in the middle" in text
    assert ("worse: high" in text, "Worse: it went up" in text) == (False, False)
