"""Questionnaires from draft to published: what may change, and what never does."""

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.principals import ANONYMOUS
from sqcore.tests.factories import NOW
from surveys.instruments.definitions import read_definition
from surveys.instruments.models import Instrument, InstrumentVersion, Item
from surveys.instruments.services import (
    change_draft,
    create_instrument,
    draft_next_version,
    install_ready_instruments,
    publish_version,
)
from surveys.tests.factories import analyst, make_version, raw_definition

pytestmark = pytest.mark.django_db


class TestCreateInstrument:
    def test_makes_a_draft_with_the_items_in_order(self) -> None:
        version = create_instrument(
            definition=read_definition(raw_definition()), by=analyst(), now=NOW
        )

        items = Item.objects.filter(version=version).order_by("position")
        assert [item.code for item in items] == ["e1", "p1", "p2", "overall", "comment"]
        assert version.published_at is None
        assert AuditEntry.objects.get().action == "instrument.created"

    def test_refuses_a_code_that_is_taken(self) -> None:
        make_version()

        with pytest.raises(Conflict):
            create_instrument(definition=read_definition(raw_definition()), by=analyst(), now=NOW)
        assert InstrumentVersion.objects.count() == 1

    def test_refuses_who_may_not_run_surveys(self) -> None:
        with pytest.raises(NotPermitted):
            create_instrument(definition=read_definition(raw_definition()), by=ANONYMOUS, now=NOW)
        assert not Instrument.objects.exists()


class TestPublishedVersion:
    def test_refuses_a_change_through_the_services(self) -> None:
        version = make_version()
        raw = raw_definition()
        raw["items"].pop()

        with pytest.raises(Conflict, match="never changes"):
            change_draft(version=version, definition=read_definition(raw), by=analyst())
        assert version.items.count() == 5

    @pytest.mark.parametrize(
        "change", ["update item", "delete item", "add item", "update version", "delete version"]
    )
    def test_refuses_a_change_in_the_database_itself(self, change: str) -> None:
        version = make_version()
        one = Item.objects.filter(version=version, code="p1")
        acts: dict[str, Callable[[], object]] = {
            "update item": lambda: one.update(text={"en": "Something else"}),
            "delete item": one.delete,
            "add item": lambda: Item.objects.create(
                version=version, code="p9", position=9, text={"en": "More"}
            ),
            "update version": lambda: InstrumentVersion.objects.update(published_at=None),
            "delete version": lambda: connection.cursor().execute(
                "DELETE FROM surveys_instrumentversion"
            ),
        }

        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            acts[change]()
        assert one.get().text == {"en": "Question p1"}
        assert version.items.count() == 5

    def test_is_guarded_by_triggers_that_are_there(self) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            else:
                cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
            names = {name for (name,) in cursor.fetchall()}

        assert {
            "surveys_instrumentversion_published_update",
            "surveys_instrumentversion_published_delete",
            "surveys_item_published_insert",
            "surveys_item_published_update",
            "surveys_item_published_delete",
        } <= names

    def test_stays_as_it_is_when_published_again(self) -> None:
        version = make_version()

        publish_version(version=version, by=analyst(), now=NOW.replace(year=2027))

        assert InstrumentVersion.objects.get().published_at == NOW


class TestNextVersion:
    def test_has_the_same_items_under_the_same_codes(self) -> None:
        version = make_version()

        draft = draft_next_version(version=version, by=analyst())

        assert (draft.number, draft.published_at) == (2, None)
        fields = ("code", "position", "kind", "role", "dimension", "pair", "text")
        assert list(draft.items.order_by("position").values_list(*fields)) == list(
            version.items.order_by("position").values_list(*fields)
        )

    def test_refuses_a_second_draft(self) -> None:
        version = make_version()
        draft_next_version(version=version, by=analyst())

        with pytest.raises(Conflict, match="still a draft"):
            draft_next_version(version=version, by=analyst())
        assert InstrumentVersion.objects.count() == 2

    def test_may_reword_an_item(self) -> None:
        draft = draft_next_version(version=make_version(), by=analyst())
        raw = raw_definition()
        raw["items"][1]["text"] = {"en": "Better words"}

        change_draft(version=draft, definition=read_definition(raw), by=analyst())
        publish_version(version=draft, by=analyst(), now=NOW)

        assert draft.items.get(code="p1").text == {"en": "Better words"}

    def test_cannot_give_an_old_code_a_new_meaning(self) -> None:
        draft = draft_next_version(version=make_version(), by=analyst())
        raw = raw_definition()
        raw["items"][2] |= {"high": 5, "dimension": "speed"}
        change_draft(version=draft, definition=read_definition(raw), by=analyst())

        with pytest.raises(InvalidInput) as refused:
            publish_version(version=draft, by=analyst(), now=NOW)
        assert [str(problem) for problem in refused.value.problems] == [
            "p2: dimension, high was different in version 1"
        ]
        assert InstrumentVersion.objects.get(number=2).published_at is None

    def test_cannot_be_published_without_a_question(self) -> None:
        draft = draft_next_version(version=make_version(), by=analyst())
        draft.items.all().delete()

        with pytest.raises(InvalidInput, match="no question"):
            publish_version(version=draft, by=analyst(), now=NOW)


class TestInstallReadyInstruments:
    def test_adds_the_ready_ones_published(self) -> None:
        install_ready_instruments(now=NOW)

        found = InstrumentVersion.objects.published().order_by("instrument__code")
        assert [(v.instrument.code, v.number, v.items.count()) for v in found] == [
            ("experience", 1, 8),
            ("gaps-managers", 1, 48),
            ("gaps-staff", 1, 29),
            ("kano-example", 1, 17),
            ("servperf", 1, 26),
            ("servqual", 1, 53),
            ("short-form", 1, 9),
            ("training-reaction", 1, 7),
        ]

    def test_changes_nothing_the_second_time(self) -> None:
        call_command("install_instruments", stdout=None)
        before = list(Item.objects.order_by("id").values())

        assert install_ready_instruments(now=NOW) == []
        assert list(Item.objects.order_by("id").values()) == before
