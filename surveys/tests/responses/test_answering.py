"""A customer answers by a link: the page, the way through it, what is stored and what is not."""

import re
import threading
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.base.models import Delivery, OutboxEvent, RememberedRequest
from sqcore.identity.permissions import Role
from sqcore.org.models import Organisation
from sqcore.tests.factories import NOW, TODAY, give_role, make_channel, make_unit, make_user
from surveys.campaigns.models import Campaign, Link
from surveys.campaigns.services import change_mode, close_campaign, revoke_link
from surveys.responses import views
from surveys.responses.models import Response
from surveys.tests.factories import (
    SYSTEM,
    make_campaign,
    make_link,
    make_ready_version,
    make_version,
    raw_definition,
)

pytestmark = pytest.mark.django_db

CSS = (Path(settings.BASE_DIR) / "static" / "answer.css").stat().st_size


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def link() -> Link:
    campaign = make_campaign(version=make_ready_version("short-form"))
    return make_link(campaign, make_unit("harbour"), make_channel("counter"))


class Form(HTMLParser):
    """What a browser would send of a page: hidden fields, chosen radios, numbers, texts."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.chosen: dict[str, str] = {}
        self.values: dict[str, list[str]] = {}
        self._text = ""
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "textarea":
            self._text = given["name"]
        if tag != "input":
            return
        if given["type"] == "hidden":
            self.fields[given["name"]] = given["value"]
        else:
            self.values.setdefault(given["name"], []).append(given["value"])
            if "checked" in given or (given["type"] == "number" and given["value"]):
                self.chosen[given["name"]] = given["value"]

    def handle_data(self, data: str) -> None:
        if self._text and data.strip():
            self.chosen[self._text] = data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""


def open_page(link: Link, client: Client | None = None) -> Form:
    return Form((client or Client()).get(f"/a/{link.token}/"))


def send(link: Link, form: Form, **answers: str) -> Any:
    return Client().post(f"/a/{link.token}/send/", form.fields | form.chosen | answers)


class TestThePage:
    @pytest.mark.parametrize("code", ["servqual", "servperf", "short-form"])
    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_is_under_50_kb_in_total_with_everything_answered(
        self, code: str, language: str
    ) -> None:
        link = make_link(make_campaign(version=make_ready_version(code)), make_unit("harbour"))
        client = Client(headers={"accept-language": language})
        form = open_page(link, client)

        first = client.get(f"/a/{link.token}/")
        everything = {
            name: values[-2] if len(values) > 1 else "20" for name, values in form.values.items()
        }
        again = client.post(
            f"/a/{link.token}/send/", form.fields | everything | {"_language": language}
        )

        assert len(Form(again).chosen) == len(form.values)
        assert len(first.content) + CSS < 50_000
        assert len(again.content) + CSS < 50_000

    def test_needs_no_script_no_cookie_and_nothing_from_elsewhere(self, link: Link) -> None:
        response = Client().get(f"/a/{link.token}/")

        html = response.content.decode()
        assert not re.search(r"<script|\son\w+=|style=|https?://", html)
        assert re.findall(r'(?:src|href)="([^"#]+)"', html) == ["data:,", "/static/answer.css"]
        assert not response.cookies
        assert "default-src 'none'" in response["Content-Security-Policy"]
        assert not Session.objects.exists()

    def test_may_be_gone_back_to_but_is_not_kept_by_others(self, link: Link) -> None:
        response = Client().get(f"/a/{link.token}/")

        assert response["Cache-Control"] == "private, no-cache"
        assert response["Referrer-Policy"] == "no-referrer"

    def test_shows_a_block_a_screen_and_what_remains(self) -> None:
        link = make_link(
            make_campaign(version=make_ready_version("servqual")), make_unit("harbour")
        )

        html = Client().get(f"/a/{link.token}/").content.decode()

        screens = html.split("<section")[1:]
        assert [screen.count('class="card') for screen in screens] == [4, 5, 4, 4, 5, 3, 6]
        assert [screen.count("<fieldset") for screen in screens] == [8, 10, 8, 8, 10, 3, 0]
        assert "Part 2 of 7" in screens[1]
        assert "about 5 minutes left" in screens[1]
        assert 'href="#s3"' in screens[1]
        assert 'href="#s1"' in screens[1]

    def test_offers_not_applicable_apart_from_every_scale(self) -> None:
        version = make_ready_version("servqual")
        form = open_page(make_link(make_campaign(version=version), make_unit("harbour")))

        scales = {code: v for code, v in form.values.items() if not code.startswith("points")}
        assert len(scales) == 47
        assert all(values[-1] == "na" for values in scales.values())
        assert form.values["p22"] == ["1", "2", "3", "4", "5", "6", "7", "na"]
        assert form.values["nps"] == [str(n) for n in range(11)] + ["na"]

    def test_points_are_typed_on_one_screen_and_read_as_numbers(self) -> None:
        link = make_link(
            make_campaign(version=make_ready_version("servqual")), make_unit("harbour")
        )
        form = open_page(link)

        screens = Client().get(f"/a/{link.token}/").content.decode().split("<section")[1:]
        assert [screen.count("type=number") for screen in screens] == [0, 0, 0, 0, 0, 0, 5]
        send(link, form, **{"points-tangibles": "30", "points-empathy": "70"})
        answers = Response.objects.get().answers
        assert answers == {"points-tangibles": 30, "points-empathy": 70}

    def test_more_than_a_hundred_points_are_shown_again_and_not_stored(self) -> None:
        link = make_link(
            make_campaign(version=make_ready_version("servqual")), make_unit("harbour")
        )

        again = send(link, open_page(link), **{"points-tangibles": "101", "points-empathy": "7"})

        assert Form(again).values["points-empathy"] == ["7"]
        assert "101 is outside 0 to 100" in again.content.decode()
        assert not Response.objects.exists()

    @pytest.mark.parametrize(
        ("mode", "words"),
        [
            (Campaign.Mode.ANONYMOUS, "Only the day is kept"),
            (Campaign.Mode.CONFIDENTIAL, "at least 5 people"),
        ],
    )
    def test_prints_the_privacy_of_the_campaign(self, mode: str, words: str) -> None:
        link = make_link(make_campaign(mode=mode), make_unit("harbour"))

        assert words in Client().get(f"/a/{link.token}/").content.decode()

    def test_asks_a_choice_among_its_options(self) -> None:
        raw = raw_definition()
        options = [{"code": c, "text": {"en": f"By {c}"}} for c in ("bus", "car")]
        raw["items"].append(
            {"code": "way", "kind": "choice", "role": "context", "options": options}
            | {"text": {"en": "How did you come?"}}
        )
        link = make_link(make_campaign(version=make_version(raw)), make_unit("harbour"))

        form = open_page(link)
        send(link, form, way="bus")

        assert form.values["way"] == ["bus", "car", "na"]
        assert Response.objects.get().answers == {"way": "bus"}

    def test_escapes_what_people_wrote(self) -> None:
        campaign = make_campaign(version=make_ready_version("short-form"))
        campaign.name = {"en": "<script>alert(1)</script>"}
        campaign.save()
        link = make_link(campaign, make_unit("harbour"))
        form = open_page(link)

        response = send(link, form, comment="</textarea><script>", _language="zh-hans")

        assert b"<script" not in response.content
        assert b"&lt;/textarea&gt;&lt;script&gt;" in response.content

    def test_takes_the_language_that_the_browser_asks_for(self, link: Link) -> None:
        chinese = Client(headers={"accept-language": "zh-CN,zh;q=0.9"}).get(f"/a/{link.token}/")
        other = Client(headers={"accept-language": "fr"}).get(f"/a/{link.token}/")

        assert '<html lang="zh-hans">' in chinese.content.decode()
        assert "我在这里很快就能得到帮助。" in chinese.content.decode()
        assert '<html lang="en">' in other.content.decode()

    def test_costs_two_queries(self, link: Link, django_assert_num_queries: Any) -> None:
        Client().get(f"/a/{link.token}/")

        with django_assert_num_queries(2):
            Client().get(f"/a/{link.token}/")


class TestAnswering:
    def test_stores_what_was_sent_and_thanks(self, link: Link) -> None:
        form = open_page(link)

        response = send(
            link, form, tangibles="6", empathy="na", nps="0", comment=" Kind.\r\nThanks! "
        )

        assert response.status_code == 302
        assert response["Location"] == f"/a/{link.token}/thanks/?in=en"
        assert "Thank you" in Client().get(response["Location"]).content.decode()
        stored = Response.objects.get()
        assert stored.answers == {
            "tangibles": 6,
            "empathy": "na",
            "nps": 0,
            "comment": "Kind.\nThanks!",
        }
        assert bytes(stored.packed) == bytes([6, 255, 255, 255, 254, 255, 0, 255])
        assert (stored.unit, stored.channel) == (link.unit, link.channel)
        assert (stored.language, stored.origin) == ("en", Response.Origin.LINK)

    def test_keeps_the_answers_when_the_language_is_switched_in_the_middle(
        self, link: Link
    ) -> None:
        form = open_page(link)

        switched = Form(send(link, form, reliability="2", comment="slow", _language="zh-hans"))
        assert not Response.objects.exists()
        response = send(link, switched, nps="9")

        assert switched.chosen == {"reliability": "2", "comment": "slow"}
        assert switched.fields["_form"] == form.fields["_form"]
        assert response["Location"].endswith("?in=zh-hans")
        stored = Response.objects.get()
        assert stored.answers == {"reliability": 2, "nps": 9, "comment": "slow"}
        assert stored.language == "zh-hans"

    def test_is_stored_once_however_often_it_is_sent(self, link: Link) -> None:
        form = open_page(link)

        first = send(link, form, nps="9")
        back_and_changed = send(link, form, nps="3")

        assert first["Location"] == back_and_changed["Location"]
        assert Response.objects.get().answers == {"nps": 9}

    def test_is_thanked_again_even_when_the_survey_closed_in_between(self, link: Link) -> None:
        form = open_page(link)
        first = send(link, form, nps="9")
        close_campaign(campaign=link.campaign, by=SYSTEM, now=NOW)

        assert send(link, form, nps="9")["Location"] == first["Location"]
        assert Client().get(first["Location"]).status_code == 200

    def test_takes_two_people_at_one_device_apart(self, link: Link) -> None:
        send(link, open_page(link), nps="9")
        send(link, open_page(link), nps="9")

        assert Response.objects.count() == 2

    def test_refuses_an_empty_form_kindly(self, link: Link) -> None:
        response = send(link, open_page(link), comment="  ")

        assert response.status_code == 400
        assert "One answer is enough" in response.content.decode()
        assert not Response.objects.exists()

    def test_costs_few_queries(self, link: Link, django_assert_num_queries: Any) -> None:
        form = open_page(link)

        with django_assert_num_queries(4):
            send(link, form, nps="9")


class TestAnonymous:
    def test_leaves_no_trace_but_the_answer_and_its_day(self, link: Link) -> None:
        before = AuditEntry.objects.count()

        send(link, open_page(link), nps="9", comment="good")

        stored = Response.objects.get()
        assert stored.received_at is None
        assert stored.answered_on == TODAY
        assert (stored.staff, stored.subject, stored.encounter_key) == (None, "", "")
        assert (stored.external_key, stored.import_id) == (None, None)
        assert AuditEntry.objects.count() == before
        for model in (OutboxEvent, Delivery, RememberedRequest, Session):
            assert not model._default_manager.exists()

    def test_is_dated_by_the_day_of_the_organisation(self, link: Link) -> None:
        Organisation.objects.create(pk=1, name={"en": "Bank"}, time_zone="Pacific/Auckland")

        with time_machine.travel(NOW.replace(hour=12), tick=False):
            send(link, open_page(link), nps="9")

        assert Response.objects.get().answered_on == date(2026, 3, 3)

    def test_is_never_named_in_the_log(self, link: Link, caplog: pytest.LogCaptureFixture) -> None:
        form = open_page(link)
        send(link, form)
        send(link, form, nps="77")
        send(link, form, nps="7")

        assert link.token not in caplog.text

    def test_confidential_keeps_the_time_of_sending(self) -> None:
        link = make_link(make_campaign(mode=Campaign.Mode.CONFIDENTIAL), make_unit("harbour"))

        send(link, open_page(link), p1="4")

        assert Response.objects.get().received_at == NOW


class TestThePromise:
    def test_is_not_broken_by_a_change_while_somebody_answers(self, link: Link) -> None:
        form = open_page(link)
        change_mode(campaign=link.campaign, mode=Campaign.Mode.CONFIDENTIAL, by=SYSTEM, now=NOW)

        refused = send(link, form, nps="9")

        assert refused.status_code == 409
        assert "The privacy of this survey was changed" in refused.content.decode()
        assert not Response.objects.exists()
        again = Form(refused)
        assert again.chosen == {"nps": "9"}
        assert send(link, again).status_code == 302
        assert Response.objects.get().received_at == NOW

    def test_cannot_be_rewritten_by_the_sender(self, link: Link) -> None:
        form = open_page(link)
        form.fields["_form"] = form.fields["_form"].replace("anonymous", "confidential")

        assert send(link, form, nps="9").status_code == 400
        assert not Response.objects.exists()


class TestWhenNothingCanBeAnswered:
    @pytest.mark.parametrize("token", ["x", "a" * 22, "a" * 300, "%00", "%ED%A0%80", "../../x"])
    def test_says_that_an_unknown_link_leads_nowhere(self, token: str) -> None:
        response = Client().get(f"/a/{token}/")

        assert response.status_code == 404

    def test_tells_in_words_what_to_do_with_an_unknown_link(self) -> None:
        page = Client().get(f"/a/{'a' * 22}/").content.decode()

        assert "This address leads to no survey" in page

    @pytest.mark.parametrize(
        ("over", "status", "words"),
        [
            ({"state": Campaign.State.DRAFT}, 403, "not open yet"),
            ({"state": Campaign.State.CLOSED}, 410, "This survey is closed"),
            ({"opens_on": date(2026, 3, 3)}, 403, "It begins on 3 Mar 2026"),
            ({"closes_on": TODAY}, 410, "This survey is closed"),
        ],
    )
    def test_says_why(self, over: dict[str, Any], status: int, words: str) -> None:
        link = make_link(make_campaign(**over), make_unit("harbour"))

        response = Client().get(f"/a/{link.token}/")

        assert response.status_code == status
        assert words in response.content.decode()

    def test_takes_answers_on_the_last_day(self) -> None:
        campaign = make_campaign(opens_on=TODAY, closes_on=date(2026, 3, 3))
        link = make_link(campaign, make_unit("harbour"))

        assert send(link, open_page(link), p1="4").status_code == 302

    def test_stores_nothing_by_a_withdrawn_link(self, link: Link) -> None:
        form = open_page(link)
        revoke_link(link=link, by=SYSTEM, now=NOW)

        response = send(link, form, nps="9")

        assert response.status_code == 410
        assert "no longer in use" in response.content.decode()
        assert not Response.objects.exists()

    def test_stores_nothing_when_it_closes_while_somebody_answers(self, link: Link) -> None:
        form = open_page(link)
        close_campaign(campaign=link.campaign, by=SYSTEM, now=NOW)

        assert send(link, form, nps="9").status_code == 410
        assert not Response.objects.exists()


class TestBadInput:
    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("nps", "11", "nps: 11 is outside 0 to 10"),
            ("nps", "-1", "nps: must be a whole number from 0 to 10"),
            ("nps", "9" * 5000, "nps: must be a whole number from 0 to 10"),
            ("nps", "٣", "nps: must be a whole number from 0 to 10"),
            ("nps", "1e3", "nps: must be a whole number from 0 to 10"),
            ("nps", "[" * 200 + "]" * 200, "nps: must be a whole number from 0 to 10"),
            ("comment", "a\x00b", "comment: has characters that are no text"),
            ("comment", "x" * 4001, "comment: must have at most 4000 characters"),
            ("unknown", "3", "unknown: there is no such question"),
        ],
    )
    def test_is_named_and_nothing_is_stored(
        self, link: Link, field: str, value: str, words: str
    ) -> None:
        response = send(link, open_page(link), tangibles="5", **{field: value})

        assert response.status_code == 400
        assert words in response.content.decode()
        assert Form(response).chosen["tangibles"] == "5"
        assert not Response.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [
            b"nps=7&nps=8",
            b"comment=%ED%A0%80",
            b"comment=%FF%FE",
            b"%ED%A0%80=1&nps=1",
        ],
    )
    def test_is_refused_as_bytes_too(self, link: Link, body: bytes) -> None:
        form = open_page(link)
        signed = f"&_form={form.fields['_form']}&_in=en".encode()

        response = Client().generic(
            "POST", f"/a/{link.token}/send/", body + signed, "application/x-www-form-urlencoded"
        )

        assert response.status_code == 400
        assert not Response.objects.exists()

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"nps=9", "application/x-www-form-urlencoded"),
            (b'{"nps": 9}', "application/json"),
            (b"", "text/plain"),
            (b"_form=x&nps=9", "application/x-www-form-urlencoded"),
            (b"_form=%00.%00:%00&nps=9", "application/x-www-form-urlencoded"),
            (b"a=" + b"x" * 200_000, "application/x-www-form-urlencoded"),
            (b"&".join(b"a%d=1" % n for n in range(3000)), "application/x-www-form-urlencoded"),
            (b"garbage", "multipart/form-data; boundary=x"),
        ],
    )
    def test_that_is_no_form_of_ours_is_refused(self, link: Link, body: bytes, kind: str) -> None:
        response = Client().generic("POST", f"/a/{link.token}/send/", body, kind)

        assert response.status_code == 400
        assert "not a complete form" in response.content.decode()
        assert not Response.objects.exists()

    def test_a_form_of_another_link_is_refused(self, link: Link) -> None:
        other = make_link(link.campaign, make_unit("market"))

        assert send(other, open_page(link), nps="9").status_code == 400
        assert not Response.objects.exists()

    def test_other_methods_are_refused(self, link: Link) -> None:
        assert Client().post(f"/a/{link.token}/").status_code == 405
        assert Client().delete(f"/a/{link.token}/send/").status_code == 405

    def test_the_address_of_sending_leads_back_to_the_form(self, link: Link) -> None:
        assert Client().get(f"/a/{link.token}/send/")["Location"] == f"/a/{link.token}/"
        assert Client().post("/a/x/send/").status_code == 404


class TestAFlood:
    def test_is_stopped_and_the_answers_are_kept_on_the_page(
        self, link: Link, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(views, "SENDINGS", 2)
        for _ in range(2):
            send(link, open_page(link), nps="9")

        response = send(link, open_page(link), nps="9")

        assert response.status_code == 429
        assert response["Retry-After"] == "600"
        assert Form(response).chosen == {"nps": "9"}
        assert Response.objects.count() == 2

    def test_elsewhere_does_not_stop_others(
        self, link: Link, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(views, "SENDINGS", 0)
        assert send(link, open_page(link), nps="9").status_code == 429
        monkeypatch.setattr(views, "SENDINGS", 1)
        form = open_page(link)

        response = Client(REMOTE_ADDR="203.0.113.9").post(
            f"/a/{link.token}/send/", form.fields | {"nps": "9"}
        )

        assert response.status_code == 302


@pytest.mark.django_db(transaction=True)
def test_eight_sendings_at_once_are_stored_once() -> None:
    link = make_link(make_campaign(), make_unit("harbour"))
    form = open_page(link)
    together = threading.Barrier(8)
    places: list[str] = []

    def send_now() -> None:
        try:
            together.wait()
            places.append(send(link, form, p1="4")["Location"])
        finally:
            connection.close()

    threads = [threading.Thread(target=send_now) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert places == [f"/a/{link.token}/thanks/?in=en"] * 8
    assert Response.objects.count() == 1


class TestPreview:
    def test_shows_the_form_and_stores_nothing(self) -> None:
        campaign = make_campaign(state=Campaign.State.DRAFT)
        ana = make_user("ana")
        give_role(ana, Role.ANALYST)
        client = Client()
        client.force_login(ana)

        page = client.get(f"/surveys/campaigns/{campaign.code}/preview/")
        sent = client.post(f"/surveys/campaigns/{campaign.code}/preview/", {"p1": "4"})

        assert "Nothing that you enter here is stored" in page.content.decode()
        assert Form(sent).chosen == {"p1": "4"}
        assert not Response.objects.exists()
