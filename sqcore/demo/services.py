"""Loading the demo into an empty home, and the log-ins of its people."""

import secrets
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from sqcore.base import bus
from sqcore.base.errors import Conflict
from sqcore.base.periods import Grain, Period
from sqcore.demo.bank import PEOPLE
from sqcore.demo.chapters import CHAPTERS, ZONE, Report, Story
from sqcore.identity.models import User
from sqcore.identity.principals import system_principal
from sqcore.org.models import Unit

MONTHS = 24
WORDS = (
    "amber", "anchor", "apple", "birch", "bridge", "cedar", "cloud", "coral", "crane", "delta",
    "ember", "fern", "field", "forest", "ginger", "harbour", "hazel", "island", "ivory", "jade",
    "lantern", "lemon", "linen", "maple", "meadow", "mint", "moss", "olive", "orchid", "pearl",
    "pepper", "plum", "quartz", "raven", "reed", "river", "saffron", "sage", "shell", "silk",
    "slate", "spruce", "stone", "tea", "thyme", "tide", "tulip", "valley", "walnut", "willow",
)  # fmt: skip


def story_of(now: datetime) -> Story:
    """Return the frame of a demo that is loaded now: the two years of months before this one."""
    end = Period.of(now.astimezone(ZONE).date(), Grain.MONTH).start
    first = end.replace(year=end.year - MONTHS // 12)
    return Story(first=first, end=end, now=now, by=system_principal("demo"))


def load_demo(*, now: datetime, report: Report) -> None:
    """Tell every chapter into an empty installation, then give its people their passwords.

    Each chapter keeps its own transactions; a load that is cut off leaves a home that is not
    complete and is thrown away by the next one. raises: Conflict when anybody or anything is here
    """
    if User.objects.exists() or Unit.objects.exists():
        raise Conflict("The demo goes into an empty installation only.")
    story = story_of(now)
    for chapter in sorted(CHAPTERS, key=lambda chapter: chapter.order):
        chapter.tell(story, report)
    bus.drain(now=now)
    _give_passwords()


@transaction.atomic
def _give_passwords() -> None:
    """Make a password for this home alone, and keep it where only its owner can read it."""
    password = "-".join(secrets.choice(WORDS) for _ in range(4))
    for user in User.objects.filter(username__in=[person.username for person in PEOPLE]):
        user.set_password(password)
        user.save(update_fields=["password"])
    path = _password_file()
    path.touch(mode=0o600)
    path.write_text(password)


def _password_file() -> Path:
    return Path(settings.HOME.path) / "demo-password"


def log_ins() -> list[str]:
    """Return a line for each person of the demo: user name, who it is, password."""
    password = _password_file().read_text()
    return [f"{person.username:<5} {password}   {person.what}" for person in PEOPLE]
