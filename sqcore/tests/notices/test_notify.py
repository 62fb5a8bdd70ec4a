from datetime import timedelta
from smtplib import SMTPRecipientsRefused

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.translation import gettext_lazy as _

from sqcore.base import bus
from sqcore.base.events import JobFailed
from sqcore.base.text import in_all_languages
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.notices import services
from sqcore.notices.models import Notice
from sqcore.notices.services import notify, notify_holders_of, send_mail
from sqcore.org.models import RoleGrant, Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import NOW, TODAY, give_role, make_unit, make_user

pytestmark = pytest.mark.django_db

TITLE = {"en": "New results", "zh-hans": "新结果"}
BODY = {"en": "February is in.", "zh-hans": "二月已出。"}
REASON = {"en": "You lead a branch.", "zh-hans": "您管理网点。"}


def tell(*readers: User, key: str = "k", unit: Unit | None = None) -> int:
    return notify(
        readers=readers,
        key=key,
        title=TITLE,
        body=BODY,
        reason=REASON,
        link="/quality/",
        permission=Permission.VIEW_PEOPLE if unit else None,
        unit_id=unit.pk if unit else None,
        now=NOW,
    )


class TestNotify:
    def test_tells_each_person_once_a_key(self) -> None:
        mei, li = make_user("mei"), make_user("li")

        assert tell(mei) == 1
        assert tell(mei, li, li) == 1
        assert tell(mei, key="another") == 1

        assert list(Notice.objects.order_by("id").values_list("reader__username", "key")) == [
            ("mei", "k"),
            ("li", "k"),
            ("mei", "another"),
        ]

    def test_costs_the_same_queries_for_one_and_for_many(
        self, django_assert_num_queries: object
    ) -> None:
        people = [make_user(f"user{number}") for number in range(30)]

        with django_assert_num_queries(2):  # type: ignore[operator]  # pytest-django's fixture
            assert tell(*people) == 30


class TestHolders:
    def test_reaches_who_may_do_it_there_and_nobody_else(self) -> None:
        bank = make_unit("bank")
        north = make_unit("north", parent=bank)
        make_unit("south", parent=bank)
        south = Unit.objects.get(code="south")
        give_role(make_user("mei"), Role.MANAGER, north)
        give_role(make_user("boss"), Role.MANAGER, bank)
        give_role(make_user("chen"), Role.MANAGER, south)
        give_role(make_user("li"), Role.STAFF, north)
        give_role(make_user("hua"), Role.HR)
        give_role(make_user("gone", is_active=False), Role.HR)
        RoleGrant.objects.filter(user=make_user("former")).update(valid_to=TODAY)

        told = notify_holders_of(
            Permission.VIEW_PEOPLE,
            key="k",
            title=TITLE,
            body=BODY,
            reason=REASON,
            unit_id=north.pk,
            now=NOW,
        )

        assert told == 3
        assert set(Notice.objects.values_list("reader__username", flat=True)) == {
            "mei",
            "boss",
            "hua",
        }

    def test_a_staff_role_holds_at_its_unit_alone(self) -> None:
        bank = make_unit("bank")
        north = make_unit("north", parent=bank)
        give_role(make_user("teller"), Role.STAFF, north)
        give_role(make_user("clerk"), Role.STAFF, bank)

        notify_holders_of(
            Permission.VIEW_RESULTS,
            key="k",
            title=TITLE,
            body=BODY,
            reason=REASON,
            unit_id=north.pk,
            now=NOW,
        )

        assert [notice.reader.username for notice in Notice.objects.all()] == ["teller"]


class TestAccessThatEnded:
    def test_notice_leaves_inbox_and_mail_with_the_role(self) -> None:
        north = make_unit("north")
        mei = make_user("mei")
        role = give_role(mei, Role.MANAGER, north)
        tell(mei, unit=north)
        assert Notice.objects.visible_to(principal_for(mei, on=TODAY)).count() == 1

        role.valid_to = TODAY
        role.save()

        assert Notice.objects.visible_to(principal_for(mei, on=TODAY)).count() == 0
        assert send_mail(now=NOW) == 0
        assert mail.outbox == []
        assert Notice.objects.get().mail_at is None

    def test_role_at_another_unit_is_not_enough(self) -> None:
        north, south = make_unit("north"), make_unit("south")
        mei = make_user("mei")
        give_role(mei, Role.MANAGER, south)
        tell(mei, unit=north)

        assert send_mail(now=NOW) == 0
        assert mail.outbox == []


class TestMail:
    def test_is_plain_text_in_the_language_of_the_reader(self) -> None:
        tell(make_user("mei", language="zh-hans"))

        assert send_mail(now=NOW) == 1

        (message,) = mail.outbox
        assert message.to == ["mei@bank.test"]
        assert message.subject == "[SQCore] 新结果"
        assert "二月已出。" in message.body
        assert "您管理网点。" in message.body
        assert "http://127.0.0.1:8000/quality/" in message.body
        assert "/profile/" in message.body
        assert message.content_subtype == "plain"
        assert Notice.objects.get().mailed_at == NOW

    def test_leaves_once(self) -> None:
        tell(make_user("mei"))
        send_mail(now=NOW)

        assert send_mail(now=NOW + timedelta(days=1)) == 0
        assert len(mail.outbox) == 1

    def test_joins_what_waits_for_one_person(self) -> None:
        mei = make_user("mei")
        for key in ("a", "b", "c"):
            tell(mei, key=key)
        tell(make_user("li"), key="a")

        assert send_mail(now=NOW) == 2

        subjects = {message.to[0]: message.subject for message in mail.outbox}
        assert subjects == {
            "mei@bank.test": "[SQCore] 3 new notices",
            "li@bank.test": "[SQCore] New results",
        }

    @pytest.mark.parametrize(
        "over", [{"gets_mail": False}, {"email": ""}, {"is_active": False}], ids=str
    )
    def test_is_not_sent_to_who_does_not_want_or_cannot_get_it(
        self, over: dict[str, object]
    ) -> None:
        tell(make_user("mei", **over))

        assert send_mail(now=NOW) == 0
        assert mail.outbox == []
        assert Notice.objects.get().mail_at is None

    def test_is_not_sent_of_what_was_read_already(self) -> None:
        tell(make_user("mei"))
        Notice.objects.update(read_at=NOW)

        assert send_mail(now=NOW) == 0

    def test_puts_texts_in_as_they_are(self) -> None:
        notify(
            readers=[make_user("mei")],
            key="k",
            title={"en": "Evil\r\nBcc: all@bank.test {{ 7|add:7 }}"},
            body={"en": "$profile ${reason} %(count)d {{ settings.SECRET_KEY }}"},
            reason={"en": "$$ because"},
            now=NOW,
        )

        assert send_mail(now=NOW) == 1
        (message,) = mail.outbox
        assert message.subject == "[SQCore] Evil Bcc: all@bank.test {{ 7|add:7 }}"
        assert message.recipients() == ["mei@bank.test"]
        assert "$profile ${reason} %(count)d {{ settings.SECRET_KEY }}" in message.body
        assert "$$ because" in message.body

    def test_refused_address_does_not_hold_up_others_and_is_given_up_at_last(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[str] = []

        class Server(BaseEmailBackend):
            def send_messages(self, messages: list[mail.EmailMessage]) -> int:  # type: ignore[override]  # what Django hands over
                for message in messages:
                    if message.to == ["bad@bank.test"]:
                        raise SMTPRecipientsRefused({})
                    sent.extend(message.to)
                return len(messages)

        monkeypatch.setattr(services, "get_connection", Server)
        tell(make_user("bad"), make_user("mei"))
        moment, tries = NOW, 0
        while send_mail(now=moment) or (
            waiting := Notice.objects.filter(mail_at__isnull=False).first()
        ):
            tries += 1
            moment += timedelta(hours=12)
            assert tries < 20

        assert sent == ["mei@bank.test"]
        assert waiting is None
        assert Notice.objects.get(reader__username="bad").mail_attempts == services.MAIL_ATTEMPTS

    def test_absent_server_is_asked_once_and_nothing_is_lost(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []

        class Away(BaseEmailBackend):
            def open(self) -> bool:
                asked.append(1)
                raise ConnectionRefusedError("no")

        with monkeypatch.context() as patch:
            patch.setattr(services, "get_connection", Away)
            tell(make_user("mei"), make_user("li"))
            assert send_mail(now=NOW) == 0

        assert asked == [1]
        assert send_mail(now=NOW + timedelta(minutes=1)) == 2


class TestJobFailed:
    def test_tells_its_owner_and_the_administrators(self) -> None:
        mei, ada = make_user("mei"), make_user("ada")
        give_role(ada, Role.ADMINISTRATOR)
        make_user("chen")
        event = JobFailed("00000000-0000-0000-0000-000000000001", 3, {"en": "Import"}, mei.pk)

        bus.publish(event, now=NOW)
        bus.drain(now=NOW)

        told = {notice.reader.username: notice for notice in Notice.objects.all()}
        assert set(told) == {"mei", "ada"}
        assert told["mei"].title["en"] == "Did not work: Import"
        assert told["mei"].reason["en"] == "You started this job."
        assert told["ada"].reason["en"] == "You are an administrator."
        assert told["mei"].link == "/jobs/00000000-0000-0000-0000-000000000001/"

    def test_job_that_nobody_owns_is_told_to_the_administrators(self) -> None:
        make_user("root", is_superuser=True)
        event = JobFailed("00000000-0000-0000-0000-000000000001", 3, {"en": "Run"}, None)

        bus.publish(event, now=NOW)
        bus.drain(now=NOW)

        assert [notice.reader.username for notice in Notice.objects.all()] == ["root"]


def test_interface_text_is_given_in_every_language() -> None:
    text = in_all_languages(_("Overall: %(name)s"), name={"en": "Branch", "zh-hans": "网点"})

    assert text.keys() == {"en", "zh-hans"}
    assert text["en"] == "Overall: Branch"
    assert text["zh-hans"].endswith("网点")


def test_forgets_what_is_older() -> None:
    tell(make_user("mei"))

    assert services.forget_notices(before=NOW) == 0
    assert services.forget_notices(before=NOW + timedelta(seconds=1)) == 1
