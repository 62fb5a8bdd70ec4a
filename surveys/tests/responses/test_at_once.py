"""Two real connections at the same answers: on SQLite a file, on PostgreSQL a server."""

import threading
import time
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection, transaction

from sqcore.base.errors import Conflict
from sqcore.base.periods import Period
from sqcore.tests.factories import NOW, make_unit
from surveys.campaigns.models import Campaign
from surveys.campaigns.services import change_mode
from surveys.instruments.codebook import codebook_of
from surveys.responses import services
from surveys.responses.models import Response
from surveys.responses.queries import lock_version, period_sums
from surveys.responses.services import (
    NewResponse,
    absorb,
    add_responses,
    submit_response,
    withdraw_import,
)
from surveys.tests.factories import SYSTEM, make_campaign, make_link

pytestmark = pytest.mark.django_db(transaction=True)

HEAD_START = 0.5
"""Seconds in which the other one gets as far as it can."""


class Other(threading.Thread):
    """Does something by a connection of its own; `outcome` is what came of it."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__()
        self.call, self.outcome = call, "nothing yet"

    def run(self) -> None:
        try:
            self.outcome = repr(self.call())
        except Conflict as error:
            self.outcome = type(error).__name__
        finally:
            connection.close()


def first_let(other: Other, before: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, which starts the other one and leaves it time before it goes on."""

    def after(*args: Any, **kwargs: Any) -> Any:
        if other.ident is None:
            other.start()
            time.sleep(HEAD_START)
        return before(*args, **kwargs)

    return after


def test_no_answer_ends_under_another_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign()
    link = make_link(campaign, make_unit("riverside"))
    changing = Other(
        lambda: change_mode(
            campaign=Campaign.objects.get(), mode=Campaign.Mode.CONFIDENTIAL, by=SYSTEM, now=NOW
        )
    )
    kept = services._keep_promise

    def keep(*args: Any, **kwargs: Any) -> None:
        kept(*args, **kwargs)
        changing.start()
        time.sleep(HEAD_START)

    monkeypatch.setattr(services, "_keep_promise", keep)
    answers = {"p1": 5}
    submit_response(
        link=link, key=uuid.uuid4(), promised="anonymous", answers=answers, language="en", now=NOW
    )
    changing.join(timeout=60)

    assert changing.outcome == "Conflict"
    assert Campaign.objects.get().mode == Campaign.Mode.ANONYMOUS
    assert Response.objects.get().received_at is None


def test_what_is_withdrawn_while_it_is_added_up_leaves_the_sums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaign, unit = make_campaign(), make_unit("riverside")
    for import_id in (1, 2):
        response = NewResponse(
            answers={"overall": 4}, unit_id=unit.pk, answered_on=date(2026, 3, 5)
        )
        add_responses(
            campaign=campaign,
            responses=[response],
            origin=Response.Origin.IMPORT,
            now=NOW,
            import_id=import_id,
        )
    withdrawing = Other(lambda: withdraw_import(import_id=1))
    monkeypatch.setattr(
        services, "_change_rollups", first_let(withdrawing, services._change_rollups)
    )

    absorb(clock=lambda: NOW)
    withdrawing.join(timeout=60)
    absorb(clock=lambda: NOW)

    assert withdrawing.outcome == "1"
    assert list(Response.objects.values_list("import_id", flat=True)) == [2]
    with transaction.atomic():
        lock_version(campaign.version)
        cells, moments = period_sums(
            campaign.version, codebook_of(campaign.version), Period.parse("2026-03")
        )
    assert [(cell.margin, n) for cell, n in zip(cells, moments.respondents, strict=True) if n] == [
        ("", 1)
    ]
