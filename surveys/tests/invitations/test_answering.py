"""Somebody who was invited answers: once, by a link that nobody can guess."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from sqcore.base.errors import NotFound
from sqcore.encounters.models import Encounter
from sqcore.org.models import Channel, Segment, Unit
from sqcore.tests.factories import NOW, TODAY, make_channel, make_segment, make_staff, make_unit
from surveys.campaigns.models import Campaign
from surveys.campaigns.services import change_mode, close_campaign
from surveys.invitations.links import token_of
from surveys.invitations.models import Invitation, SpentLink
from surveys.invitations.queries import invitation_of
from surveys.invitations.services import withdraw_invitations
from surveys.responses.models import Response
from surveys.tests.factories import SYSTEM, make_campaign, make_ready_version
from surveys.tests.invitations.factories import give_staff, invite, keys, served
from surveys.tests.responses.test_answering import Form

pytestmark = pytest.mark.django_db

CSS = (Path(settings.BASE_DIR) / "static" / "answer.css").stat().st_size
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def campaign_of(mode: str) -> Campaign:
    return make_campaign(version=make_ready_version("short-form"), mode=mode)


def crowd(campaign: Campaign, unit: Unit, channel: Channel, segment: Segment) -> list[Invitation]:
    place = {"channel": channel, "segment": segment}
    return [invite(campaign, key, unit, **place) for key in keys("visit", 5)]


@pytest.fixture
def invitation() -> Invitation:
    campaign = campaign_of(Campaign.Mode.ANONYMOUS)
    place = make_unit("harbour"), make_channel("counter"), make_segment("private")
    return crowd(campaign, *place)[0]


@pytest.fixture
def confidential() -> Invitation:
    campaign = campaign_of(Campaign.Mode.CONFIDENTIAL)
    place = make_unit("harbour"), make_channel("counter"), make_segment("private")
    return crowd(campaign, *place)[0]


def address(invitation: Invitation, rest: str = "") -> str:
    return f"/i/{token_of(invitation)}{rest}"


def open_page(invitation: Invitation) -> Form:
    return Form(Client().get(address(invitation)))


def send(invitation: Invitation, form: Form, **answers: str) -> Any:
    return Client().post(address(invitation, "/send"), form.fields | form.chosen | answers)


class TestTheLink:
    def test_is_32_characters_that_only_the_secret_can_make(
        self, invitation: Invitation, settings: Any
    ) -> None:
        token = token_of(invitation)
        settings.SECRET_KEY = "another"

        assert len(token) == 32
        assert token_of(invitation) != token
        assert token_of(invitation)[:10] == token[:10] == invitation.ref
        with pytest.raises(NotFound):
            invitation_of(token)

    def test_stands_nowhere_in_the_database(self, invitation: Invitation) -> None:
        row = Invitation.objects.filter(pk=invitation.pk).values().get()

        assert token_of(invitation)[10:] not in str(row)

    @pytest.mark.parametrize("at", [0, 9, 10, 20, 31])
    def test_with_one_wrong_letter_leads_nowhere(self, invitation: Invitation, at: int) -> None:
        token = token_of(invitation)
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]

        response = Client().get(f"/i/{wrong}")

        assert response.status_code == 404
        assert "This address leads to no survey" in response.content.decode()

    @pytest.mark.parametrize("token", ["x", "x" * 32, "é" * 32, "x" * 31 + "\n", "x" * 2000])
    def test_that_is_none_leads_nowhere(self, invitation: Invitation, token: str) -> None:
        for rest in ("", "/send", "/thanks"):
            assert Client().get(f"/i/{token}{rest}").status_code == 404
        assert Client().post(f"/i/{token}/send", {}).status_code == 404

    def test_of_another_encounter_does_not_prove_this_one(self, invitation: Invitation) -> None:
        other = Invitation.objects.exclude(pk=invitation.pk).order_by("id").first()
        assert other is not None

        mixed = invitation.ref + token_of(other)[10:]

        assert Client().get(f"/i/{mixed}").status_code == 404


class TestThePage:
    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    @pytest.mark.parametrize("mode", [Campaign.Mode.ANONYMOUS, Campaign.Mode.CONFIDENTIAL])
    def test_is_under_50_kb_in_total_with_everything_answered(
        self, language: str, mode: str
    ) -> None:
        campaign = make_campaign(version=make_ready_version("servqual"), mode=mode)
        made = invite(campaign, "visit", make_unit("harbour"))
        first = Client(headers={"accept-language": language}).get(address(made))
        form = Form(first)

        everything = {
            name: values[-2] if len(values) > 1 else "20" for name, values in form.values.items()
        }
        again = send(made, form, **everything, _language=language)

        assert len(Form(again).chosen) == len(form.values)
        assert len(first.content) + CSS < 50_000
        assert len(again.content) + CSS < 50_000

    def test_needs_no_script_and_no_cookie(self, invitation: Invitation) -> None:
        response = Client().get(address(invitation))

        html = response.content.decode()
        assert "<script" not in html
        assert not response.cookies
        assert not Session.objects.exists()
        assert response["Cache-Control"] == "private, no-cache"
        assert response["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in response["Content-Security-Policy"]

    def test_says_what_becomes_of_the_invitation(self, invitation: Invitation) -> None:
        html = Client().get(address(invitation)).content.decode()

        assert "nothing is kept that leads from it to your answers" in html

    def test_says_that_the_visit_is_kept(self, confidential: Invitation) -> None:
        html = Client().get(address(confidential)).content.decode()

        assert "kept with the visit that you were invited after" in html

    def test_costs_three_queries(
        self, invitation: Invitation, django_assert_num_queries: Any
    ) -> None:
        Client().get(address(invitation))

        with django_assert_num_queries(3):
            Client().get(address(invitation))


class TestAnswering:
    def test_stores_where_it_was_and_thanks(self, invitation: Invitation) -> None:
        form = open_page(invitation)

        response = send(invitation, form, tangibles="6", comment="Kind.")

        assert response.status_code == 302
        assert response["Location"] == address(invitation, "/thanks?in=en")
        assert "Thank you" in Client().get(response["Location"]).content.decode()
        stored = Response.objects.get()
        assert stored.answers == {"tangibles": 6, "comment": "Kind."}
        assert stored.origin == Response.Origin.INVITED
        assert (stored.unit, stored.channel, stored.segment) == (
            invitation.unit,
            invitation.channel,
            invitation.segment,
        )

    def test_keeps_of_an_anonymous_one_neither_visit_nor_moment_nor_person(
        self, invitation: Invitation
    ) -> None:
        served(invitation.unit, [invitation.encounter_key], customer="0815")
        give_staff(invitation.encounter_key, make_staff("7").pk)

        send(invitation, open_page(invitation), nps="9")

        stored = Response.objects.get()
        assert (stored.encounter_key, stored.staff, stored.received_at) == ("", None, None)
        assert (stored.subject, stored.external_key) == ("", None)
        assert stored.answered_on == TODAY

    def test_keeps_of_a_confidential_one_the_visit_and_whose_it_was(
        self, confidential: Invitation
    ) -> None:
        served(confidential.unit, [confidential.encounter_key])
        li = make_staff("7")
        give_staff(confidential.encounter_key, li.pk)

        send(confidential, open_page(confidential), nps="9")

        stored = Response.objects.get()
        assert stored.encounter_key == confidential.encounter_key
        assert (stored.staff, stored.received_at) == (li, NOW)

    def test_of_a_visit_that_was_nobodys_own_names_nobody(self, confidential: Invitation) -> None:
        served(confidential.unit, [confidential.encounter_key])

        send(confidential, open_page(confidential), nps="9")

        assert Response.objects.get().staff is None

    def test_goes_on_when_the_encounter_is_gone(self, confidential: Invitation) -> None:
        assert not Encounter.objects.exists()

        send(confidential, open_page(confidential), nps="9")

        assert Response.objects.get().staff is None

    def test_is_stored_once_however_often_the_form_is_sent(self, invitation: Invitation) -> None:
        form = open_page(invitation)

        first = send(invitation, form, nps="9")
        again = send(invitation, form, nps="3")

        assert first["Location"] == again["Location"]
        assert Response.objects.get().answers == {"nps": 9}

    def test_by_two_browsers_counts_once(self, invitation: Invitation) -> None:
        desk, phone = open_page(invitation), open_page(invitation)

        send(invitation, desk, nps="9")
        second = send(invitation, phone, nps="1")

        assert second.status_code == 200
        assert "You have answered already" in second.content.decode()
        assert Response.objects.get().answers == {"nps": 9}
        assert SpentLink.objects.count() == 1

    def test_is_over_with_the_answer(self, invitation: Invitation) -> None:
        send(invitation, open_page(invitation), nps="9")

        page = Client().get(address(invitation))

        assert page.status_code == 200
        assert "You have answered already" in page.content.decode()
        assert not Form(page).fields

    def test_needs_one_answer(self, invitation: Invitation) -> None:
        refused = send(invitation, open_page(invitation))

        assert refused.status_code == 400
        assert "nothing to send" in refused.content.decode()
        assert not Response.objects.exists()
        assert not SpentLink.objects.exists()

    def test_can_be_put_right_after_nonsense(self, invitation: Invitation) -> None:
        form = open_page(invitation)

        refused = send(invitation, form, nps="77")
        assert refused.status_code == 400
        assert not SpentLink.objects.exists()
        send(invitation, Form(refused), nps="7")

        assert Response.objects.get().answers == {"nps": 7}

    def test_of_a_form_of_another_link_is_not_taken(self, invitation: Invitation) -> None:
        other = Invitation.objects.exclude(pk=invitation.pk).order_by("id").first()
        assert other is not None

        refused = send(other, open_page(invitation), nps="9")

        assert refused.status_code == 400
        assert address(other) in refused.content.decode()
        assert not Response.objects.exists()

    def test_under_a_promise_that_changed_is_asked_for_again(self, invitation: Invitation) -> None:
        form = open_page(invitation)
        change_mode(
            campaign=invitation.campaign, mode=Campaign.Mode.CONFIDENTIAL, by=SYSTEM, now=NOW
        )

        refused = send(invitation, form, nps="9")
        assert refused.status_code == 409
        assert not Response.objects.exists()
        assert not SpentLink.objects.exists()
        send(invitation, Form(refused))

        assert Response.objects.get().encounter_key == invitation.encounter_key


class TestALinkThatIsNoLongerGood:
    def test_has_expired(self, invitation: Invitation) -> None:
        form = open_page(invitation)
        with time_machine.travel(NOW + 14 * DAY, tick=False):
            page, sent = Client().get(address(invitation)), send(invitation, form, nps="9")

        assert (page.status_code, sent.status_code) == (410, 410)
        assert "This invitation has expired" in page.content.decode()
        assert "This invitation has expired" in sent.content.decode()
        assert not Response.objects.exists()

    def test_is_good_on_its_last_day(self, invitation: Invitation) -> None:
        with time_machine.travel(NOW + 13 * DAY, tick=False):
            send(invitation, open_page(invitation), nps="9")

        assert Response.objects.count() == 1

    def test_was_withdrawn(self, invitation: Invitation) -> None:
        form = open_page(invitation)
        withdraw_invitations(campaign=invitation.campaign, by=SYSTEM, now=NOW)

        page, sent = Client().get(address(invitation)), send(invitation, form, nps="9")

        assert (page.status_code, sent.status_code) == (410, 410)
        assert "This invitation was withdrawn" in page.content.decode()
        assert not Response.objects.exists()
        assert not SpentLink.objects.exists()

    def test_is_of_a_closed_campaign(self, invitation: Invitation) -> None:
        form = open_page(invitation)
        close_campaign(campaign=invitation.campaign, by=SYSTEM, now=NOW)

        page, sent = Client().get(address(invitation)), send(invitation, form, nps="9")

        assert (page.status_code, sent.status_code) == (410, 410)
        assert "This survey is closed" in page.content.decode()
        assert not Response.objects.exists()

    def test_thanks_all_the_same_who_answered_before(self, invitation: Invitation) -> None:
        form = open_page(invitation)
        first = send(invitation, form, nps="9")
        withdraw_invitations(campaign=invitation.campaign, by=SYSTEM, now=NOW)

        assert send(invitation, form, nps="9")["Location"] == first["Location"]
        assert Response.objects.count() == 1
