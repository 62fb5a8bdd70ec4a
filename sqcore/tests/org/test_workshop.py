"""The administrator's workshop: what is saved there is recorded, nothing is deleted there."""

import pytest
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.org.models import Channel, Unit
from sqcore.tests.factories import make_unit, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(make_user("ada", is_staff=True, is_superuser=True))
    return client


def test_adds_a_channel_in_two_languages(ada: Client) -> None:
    form = {"code": "counter", "name_en": "Counter", "name_zh_hans": "柜台", "position": "0"}

    answer = ada.post("/admin/sqcore/channel/add/", form)

    assert answer.status_code == 302
    assert Channel.objects.get().name == {"en": "Counter", "zh-hans": "柜台"}
    entry = AuditEntry.objects.get(action="channel.added")
    assert entry.actor.startswith("user:")


def test_refuses_a_name_without_any_text(ada: Client) -> None:
    form = {"code": "counter", "name_en": "", "name_zh_hans": "", "position": "0"}

    answer = ada.post("/admin/sqcore/channel/add/", form)

    assert answer.status_code == 200
    assert not Channel.objects.exists()


@pytest.mark.parametrize(
    "listing",
    ["organisation", "unit", "staff", "rolegrant", "channel", "segment", "post", "holiday"],
)
def test_every_page_opens(ada: Client, listing: str) -> None:
    make_unit("bank")

    assert ada.get(f"/admin/sqcore/{listing}/").status_code == 200


def test_deletes_no_unit(ada: Client) -> None:
    bank = make_unit("bank")

    answer = ada.post(f"/admin/sqcore/unit/{bank.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert Unit.objects.filter(pk=bank.pk).exists()


def test_stays_shut_for_a_manager(client: Client) -> None:
    client.force_login(make_user("mei"))

    assert client.get("/admin/sqcore/unit/").status_code == 302
