import pytest

from sqcore.base import bus
from sqcore.base.events import ResponsesImported
from sqcore.identity.models import User
from sqcore.notices.models import Notice
from sqcore.tests.factories import NOW, make_user
from surveys.imports.models import Import

pytestmark = pytest.mark.django_db


def announce(owner: User | None) -> None:
    imported = Import.objects.create(
        file_name="wave.csv",
        file_digest="0" * 64,
        rows_taken=120,
        rows_left_out=3,
        created_by=owner,
        created_at=NOW,
    )
    event = ResponsesImported(imported.pk, "2026-02-01", "2026-02-28", "day")
    bus.publish(event, now=NOW)
    bus.publish(event, now=NOW)
    bus.drain(now=NOW)


def test_who_gave_the_file_is_told_once() -> None:
    announce(make_user("ana"))

    notice = Notice.objects.get()
    assert notice.reader.username == "ana"
    assert notice.title["en"] == "Answers are in: wave.csv"
    assert notice.body["en"] == "120 rows were taken in, 3 were left out."


def test_import_by_command_tells_nobody() -> None:
    announce(None)

    assert not Notice.objects.exists()
