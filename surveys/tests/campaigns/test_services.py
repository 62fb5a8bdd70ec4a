"""Campaigns and their links: what may happen when, and what is refused."""

from datetime import date
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import ANONYMOUS, EVERYWHERE, Principal
from sqcore.indicators.models import Indicator, SystemVersion
from sqcore.indicators.queries import published_versions
from sqcore.tests.factories import NOW, TODAY, make_channel, make_principal, make_unit
from surveys.campaigns.models import Campaign, Closed, Link
from surveys.campaigns.services import (
    change_dates,
    change_mode,
    close_campaign,
    create_campaign,
    make_links,
    open_campaign,
    revoke_link,
    start_campaign,
)
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.factories import (
    SYSTEM,
    analyst,
    make_campaign,
    make_link,
    make_ready_version,
    make_version,
)

pytestmark = pytest.mark.django_db


def create(**over: Any) -> Campaign:
    fields: dict[str, Any] = {
        "name": {"en": "Spring visits"},
        "version": over.pop("version", None) or make_version(),
        "mode": Campaign.Mode.ANONYMOUS,
        "opens_on": TODAY,
        "by": analyst(),
        "now": NOW,
    }
    return create_campaign(**fields | over)


def answer(campaign: Campaign) -> None:
    response = NewResponse(answers={"p1": 4}, unit_id=make_unit("yard").pk, answered_on=TODAY)
    add_responses(campaign=campaign, responses=[response], origin=Response.Origin.LINK, now=NOW)


class TestCreateCampaign:
    def test_makes_a_draft_with_a_code_that_reads_like_the_name(self) -> None:
        version = make_version()

        first = create(version=version)
        second = create(version=version)
        chinese = create(version=version, name={"zh-hans": "春季到访"})

        assert first.state == Campaign.State.DRAFT
        assert [c.code for c in (first, second, chinese)] == [
            "spring-visits",
            "spring-visits-2",
            "survey-2026-03",
        ]
        assert AuditEntry.objects.filter(action="campaign.created").count() == 3

    @pytest.mark.parametrize(
        ("over", "words"),
        [
            ({"closes_on": TODAY}, "must not be before the first"),
            ({"closes_on": date(2020, 1, 1)}, "must not be before the first"),
            ({"closes_on": date(2100, 1, 1)}, "more than ten years"),
            ({"opens_on": date(1900, 1, 1)}, "cannot be right"),
            ({"name": {}}, "cannot be made"),
            ({"code": "No Slug"}, "cannot be made"),
            ({"code": "x" * 61}, "cannot be made"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, over: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidInput, match=words):
            create(**over)
        assert not Campaign.objects.exists()

    def test_refuses_a_draft_of_a_questionnaire(self) -> None:
        with pytest.raises(InvalidInput, match="publish it first"):
            create(version=make_version(publish=False))
        assert not Campaign.objects.exists()

    def test_refuses_a_code_that_is_taken(self) -> None:
        campaign = create(code="visits")

        with pytest.raises(Conflict):
            create(code="visits", version=campaign.version)
        assert Campaign.objects.count() == 1

    @pytest.mark.parametrize(
        "who", [ANONYMOUS, make_principal({Permission.VIEW_RESULTS: EVERYWHERE})]
    )
    def test_refuses_who_does_not_run_surveys(self, who: Principal) -> None:
        with pytest.raises(NotPermitted):
            create(by=who)
        assert not Campaign.objects.exists()


class TestStartCampaign:
    def start(self, **over: Any) -> Campaign:
        fields: dict[str, Any] = {
            "name": {"en": "Visits"},
            "version": InstrumentVersion.objects.first() or make_version(),
            "mode": Campaign.Mode.ANONYMOUS,
            "opens_on": TODAY,
            "closes_on": None,
            "units": over.pop("units", None) or [make_unit("harbour"), make_unit("market")],
            "channels": [],
            "open_now": True,
            "by": analyst(),
            "now": NOW,
        }
        return start_campaign(**fields | over)

    def test_makes_links_and_opens(self) -> None:
        campaign = self.start()

        assert campaign.state == Campaign.State.OPEN
        assert campaign.links.count() == 2

    def test_publishes_a_system_over_a_questionnaire_that_nothing_judges(self) -> None:
        version = make_ready_version("short-form")
        self.start(version=version, judge=True, by=SYSTEM)
        [judged] = published_versions()

        assert judged.system.code == "short-form"
        assert set(judged.grains) == {"month", "quarter", "year"}
        assert judged.since == TODAY
        assert Indicator.objects.filter(parameters__instrument="short-form").count() == 8

    def test_leaves_a_questionnaire_alone_that_something_judges(self) -> None:
        version = make_ready_version("short-form")
        first = self.start(version=version, judge=True, by=SYSTEM)
        units = [link.unit for link in first.links.all()]
        self.start(version=version, judge=True, by=SYSTEM, units=units)

        assert SystemVersion.objects.count() == 1

    def test_publishes_no_system_for_who_may_not(self) -> None:
        surveyor = make_principal({Permission.MANAGE_SURVEYS: EVERYWHERE})
        with pytest.raises(NotPermitted):
            self.start(version=make_ready_version("short-form"), judge=True, by=surveyor)
        assert not SystemVersion.objects.exists()
        assert not Campaign.objects.exists()

    def test_makes_nothing_when_the_links_are_refused(self) -> None:
        with pytest.raises(Conflict, match="does not know who answers"):
            self.start(mode=Campaign.Mode.IDENTIFIED)
        assert not Campaign.objects.exists()
        assert not AuditEntry.objects.filter(action="campaign.created").exists()


class TestState:
    def test_opens_closes_and_opens_again_with_a_trace_of_each(self) -> None:
        campaign = create()

        open_campaign(campaign=campaign, by=analyst(), now=NOW)
        open_campaign(campaign=campaign, by=analyst(), now=NOW)
        close_campaign(campaign=campaign, by=analyst(), now=NOW)
        open_campaign(campaign=campaign, by=analyst(), now=NOW)

        assert Campaign.objects.get().state == Campaign.State.OPEN
        acts = AuditEntry.objects.exclude(action__startswith="instrument").order_by("id")
        assert list(acts.values_list("action", flat=True)) == [
            "campaign.created",
            "campaign.opened",
            "campaign.closed",
            "campaign.opened",
        ]


class TestMode:
    def test_may_change_before_the_first_answer(self) -> None:
        campaign = make_campaign()

        change_mode(campaign=campaign, mode=Campaign.Mode.CONFIDENTIAL, by=analyst(), now=NOW)

        assert Campaign.objects.get().mode == Campaign.Mode.CONFIDENTIAL

    def test_is_frozen_from_the_first_answer_on(self) -> None:
        campaign = make_campaign()
        answer(campaign)

        with pytest.raises(Conflict, match="There are answers already"):
            change_mode(campaign=campaign, mode=Campaign.Mode.CONFIDENTIAL, by=analyst(), now=NOW)
        assert Campaign.objects.get().mode == Campaign.Mode.ANONYMOUS
        assert not AuditEntry.objects.filter(action="campaign.mode_changed").exists()

    def test_cannot_ask_for_names_by_links_that_know_none(self) -> None:
        campaign = make_campaign()
        make_link(campaign, make_unit("harbour"))

        with pytest.raises(Conflict, match="does not know who answers"):
            change_mode(campaign=campaign, mode=Campaign.Mode.IDENTIFIED, by=analyst(), now=NOW)
        assert Campaign.objects.get().mode == Campaign.Mode.ANONYMOUS


class TestDates:
    def test_move(self) -> None:
        campaign = make_campaign()

        change_dates(
            campaign=campaign,
            opens_on=TODAY,
            closes_on=date(2026, 4, 1),
            by=analyst(),
            now=NOW,
        )

        assert Campaign.objects.get().last_on == date(2026, 3, 31)


class TestLinks:
    def test_are_made_for_units_and_channels_once(self) -> None:
        campaign = make_campaign()
        units = [make_unit(code) for code in ("harbour", "market", "gate")]
        channels = [make_channel("counter"), make_channel("phone")]
        places: dict[str, Any] = {"campaign": campaign, "by": analyst(), "now": NOW}

        first = make_links(units=units[:2], channels=channels, **places)
        again = make_links(units=units, channels=channels, **places)

        assert [(link.unit.code, link.channel and link.channel.code) for link in again] == [
            ("harbour", "counter"),
            ("harbour", "phone"),
            ("market", "counter"),
            ("market", "phone"),
            ("gate", "counter"),
            ("gate", "phone"),
        ]
        assert [link.token for link in again[:4]] == [link.token for link in first]
        assert Link.objects.count() == 6

    def test_without_channels_are_for_the_unit_whatever_the_channel(self) -> None:
        links = make_links(
            campaign=make_campaign(), units=[make_unit("harbour")], by=analyst(), now=NOW
        )

        assert [link.channel for link in links] == [None]

    def test_of_a_thousand_units_cost_few_queries(self, django_assert_max_num_queries: Any) -> None:
        campaign = make_campaign()
        units = [make_unit(f"u{n}") for n in range(40)]

        with django_assert_max_num_queries(8):
            make_links(campaign=campaign, units=units, by=analyst(), now=NOW)
        assert Link.objects.count() == 40

    def test_cannot_be_guessed(self) -> None:
        units = [make_unit("harbour"), make_unit("market")]

        links = make_links(campaign=make_campaign(), units=units, by=analyst(), now=NOW)

        assert [len(link.token) for link in links] == [22, 22]
        assert links[0].token != links[1].token

    def test_are_revoked_for_good_and_can_be_replaced(self) -> None:
        campaign, unit = make_campaign(), make_unit("harbour")
        lost = make_link(campaign, unit)

        revoke_link(link=lost, by=analyst(), now=NOW)
        revoke_link(link=lost, by=analyst(), now=NOW)
        (new,) = make_links(campaign=campaign, units=[unit], by=analyst(), now=NOW)

        lost.refresh_from_db()
        assert lost.closed_on(TODAY) == Closed.REVOKED
        assert new.token != lost.token
        assert new.closed_on(TODAY) is None
        assert AuditEntry.objects.filter(action="campaign.link_revoked").count() == 1

    def test_are_refused_to_who_does_not_run_surveys(self) -> None:
        campaign, unit = make_campaign(), make_unit("harbour")
        link = make_link(campaign, unit)

        with pytest.raises(NotPermitted):
            revoke_link(link=link, by=ANONYMOUS, now=NOW)
        with pytest.raises(NotPermitted):
            make_links(campaign=campaign, units=[unit], by=ANONYMOUS, now=NOW)
        assert Link.objects.get().revoked_at is None
