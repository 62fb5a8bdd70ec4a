"""A survey answered on the respondent's page, beside the barest durable insert.

`ours` is the POST of a complete form to the product's address, through its whole stack of
middleware: the link is looked up, the seal of the form read, every answer checked, the sending
counted against floods, and the response committed. `bare` is a Django view without any middleware
that inserts a row with the same bytes into the same table by raw SQL. Both are on disk when they
answer (SQLite: WAL, synchronous FULL), and what they stored is compared before anything is timed.

The budget is about both through the product's own server, over one open connection: the CPU time of
its worker. Beside it stands the same without a server, through Django's own WSGI handler in this
process, which is stricter: what a server costs, it costs both.

The limit on sendings from one address stays as it is: each respondent has an address of their own.
"""

import itertools
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path, reverse

from benchmarks.server import Server, serving
from benchmarks.serving import Environ, ask, handler, post
from benchmarks.side_by_side import Budget, in_turn, measured, report
from sqcore.identity.principals import system_principal
from sqcore.org.models import Unit
from surveys.campaigns.models import Campaign, Link
from surveys.campaigns.services import start_campaign
from surveys.instruments.codebook import codebook_of
from surveys.instruments.models import InstrumentVersion, Item
from surveys.instruments.services import install_ready_instruments
from surveys.responses.forms import Seal
from surveys.responses.models import Response

UNITS = 50
REQUESTS = 100
FORMS = {"short-form": "Short form, 9 questions", "servqual": "SERVQUAL, 53 questions"}
COMMENT = "The queue was short, and the person at the counter knew what I needed."


# ---- The data ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Survey:
    """An open campaign with a link for each unit, and one way to answer it completely."""

    campaign: Campaign
    links: list[Link]
    answers: dict[str, Any]

    def sent(self, number: int, address: str = "") -> Environ:
        """Return the `number`-th respondent's form on its way in, to the link or elsewhere."""
        link = self.links[number % len(self.links)]
        form = {"_form": Seal.new(self.campaign.mode).signed(link.token), "_in": "en"}
        return post(
            address or reverse("surveys:responses-send", args=[link.token]),
            urlencode(form | self.answers).encode(),
            REMOTE_ADDR=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        )


def _survey(code: str) -> Survey:
    by, now = system_principal("bench"), datetime.now(UTC)
    campaign = start_campaign(
        name={"en": code},
        version=InstrumentVersion.objects.get(instrument__code=code),
        mode=Campaign.Mode.ANONYMOUS,
        opens_on=date(2024, 1, 1),
        closes_on=None,
        units=list(Unit.objects.order_by("id")),
        channels=[],
        open_now=True,
        by=by,
        now=now,
    )
    chance = random.Random(5)
    answers = {
        item.code: COMMENT
        if item.kind == Item.Kind.COMMENT
        else chance.randint(item.low, item.high)
        for item in codebook_of(campaign.version).items
    }
    return Survey(campaign, list(campaign.links.order_by("id")), answers)


def _ground() -> None:
    install_ready_instruments(now=datetime.now(UTC))
    Unit.objects.bulk_create(
        Unit(code=f"unit-{number}", name={"en": f"Unit {number}"}, opened_on=date(2024, 1, 1))
        for number in range(UNITS)
    )


# ---- The limit: raw SQL in a bare view -----------------------------------------------------------

COLUMNS = [name for field in Response._meta.concrete_fields if (name := field.column or "") != "id"]
KEY = COLUMNS.index("key")
INSERT = (
    f"INSERT INTO {Response._meta.db_table} ({', '.join(COLUMNS)})"
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))})"
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM {Response._meta.db_table} ORDER BY id DESC LIMIT 1"

rows: dict[str, list[Any]] = {}
"""What the bare view inserts, by questionnaire: a row as ours stored it."""


def bare_view(request: HttpRequest, code: str) -> HttpResponse:
    """Take the form without reading it, insert a row with the same bytes, commit."""
    assert request.body
    if code not in rows:  # the server's own process has not made one
        rows[code] = _last_row()
    row = rows[code].copy()
    row[KEY] = uuid.uuid4().hex
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INSERT, row)
    return HttpResponse(status=302, headers={"Location": "/thanks"})


urlpatterns = [
    path("bare/<str:code>", bare_view),
    path("", include("sqcore.project.urls")),
]


# ---- Side by side --------------------------------------------------------------------------------


def _last_row() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT)
        return list(cursor.fetchone())


def check(code: str, survey: Survey, ours: WSGIHandler, bare: WSGIHandler) -> None:
    """Refuse to compare what does not store the same."""
    before = Response.objects.count()
    assert ask(ours, survey.sent(0)).status == 302
    stored = Response.objects.latest("id")
    assert stored.answers == survey.answers
    assert bytes(stored.packed) == codebook_of(survey.campaign.version).encode(survey.answers)
    rows[code] = _last_row()
    assert ask(bare, survey.sent(0, f"/bare/{code}")).status == 302
    assert Response.objects.count() == before + 2
    theirs = _last_row()
    assert theirs[KEY] != rows[code][KEY]
    theirs[KEY] = rows[code][KEY]
    assert theirs == rows[code]


def _durable() -> str:
    """Say how commits reach the disk. Refuses to time any that may not."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
            assert cursor.fetchone() == ("on", "on"), "commits are not durable"
            return "PostgreSQL, synchronous commits"
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone() == (2,), "commits are not durable"
        return "SQLite, synchronous FULL"


def _sending(application: WSGIHandler, forms: Iterator[Environ]) -> Callable[[], None]:
    def send() -> None:
        for environ in itertools.islice(forms, REQUESTS):
            assert ask(application, environ).status == 302

    return send


def _posting(server: Server, forms: Iterator[Environ]) -> Callable[[], None]:
    def post_them() -> None:
        for form in itertools.islice(forms, REQUESTS):
            body = form["wsgi.input"].getvalue()
            assert server.post(form["PATH_INFO"], body, form["REMOTE_ADDR"]) == 302

    return post_them


def run(rounds: int) -> bool:
    """Print the scenario; True when its budgets are kept."""
    _ground()
    kept = True
    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"]):
        for code, title in FORMS.items():
            kept &= _run_form(code, title, rounds)
    return kept


def _run_form(code: str, title: str, rounds: int) -> bool:
    survey, ours, bare = _survey(code), handler(), handler(bare=True)
    check(code, survey, ours, bare)
    # The forms are made before: what the browser does is not the server's work.
    count = rounds * REQUESTS
    to_us = [survey.sent(number) for number in range(1, 2 * count + 1)]
    to_bare = [survey.sent(number, f"/bare/{code}") for number in range(2 * count)]
    before = Response.objects.count()
    with serving("submission") as server:
        cpu, wall = measured(
            {
                "ours": _posting(server, iter(to_us[count:])),
                "bare": _posting(server, iter(to_bare[count:])),
            },
            rounds=rounds,
            times=REQUESTS,
            worked=server.worked,
        )
    assert Response.objects.count() == before + 2 * count
    budget = Budget("speed of the barest durable insert", "ours", "bare", 0.45, as_speed=True)
    kept = report(f"{title}, sent by a respondent ({_durable()})", cpu, [budget])
    report(f"{title}, on the wall clock, which waits for the disk", wall, [], unit="ms wall")
    cpu = in_turn(
        {"ours": _sending(ours, iter(to_us)), "bare": _sending(bare, iter(to_bare))},
        rounds=rounds,
        times=REQUESTS,
    )
    beside = Budget("speed without a server (information)", "ours", "bare", 0, as_speed=True)
    report(f"{title}, without a server", cpu, [beside])
    return kept
