"""`events.py` says who hears each event; here it is compared with who really does."""

import re

import pytest

from sqcore.base import bus
from sqcore.base.events import Event, all_events


def _said(event: type[Event]) -> set[str]:
    text = re.sub(r"\s+", " ", event.__doc__ or "")
    found = re.search(r"Heard by: (.*)$", text)
    assert found is not None, f"{event.__name__} does not say who hears it"
    without_asides = re.sub(r"\([^)]*\)", "", found[1])
    names = {name.strip() for name in re.split(r"[,;]| and ", without_asides.split(".")[0])}
    return names - {"", "nobody", "nobody yet"}


def _real(event: type[Event]) -> set[str]:
    return {
        handler.handle.__module__.split(".")[1]
        for handler in bus._handlers.values()
        if handler.event is event
    }


@pytest.mark.parametrize("event", all_events().values(), ids=lambda event: event.__name__)
def test_each_event_is_heard_by_the_rooms_it_names(event: type[Event]) -> None:
    assert _real(event) == _said(event)


def test_handlers_are_named_after_their_room() -> None:
    wrong = [
        key
        for key, handler in bus._handlers.items()
        if not set(handler.handle.__module__.split(".")[:2]) & set(key.split("."))
    ]

    assert wrong == []


def test_kinds_are_unique() -> None:
    assert len(all_events()) == len(Event.__subclasses__())


def test_keys_of_handlers_stay() -> None:
    """A key is written into rows that wait: who renames one loses what is on its way to it."""
    released = {
        "evaluation.start_due",
        "evaluation.tell_of_results",
        "sqcore.notices.job_failed",
        "surveys.imports.tell_importer",
    }

    assert released - set(bus._handlers) == set()
