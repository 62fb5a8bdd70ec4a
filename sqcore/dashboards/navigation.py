"""The one navigation of the product: entries that each app registers in its `plugins.py`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, TextChoices, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sqcore.base.registry import Registry
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of


class Group(TextChoices):
    """Where an entry stands; groups are shown in this order."""

    TODAY = "today", ""
    RESULTS = "results", _("Results")
    IMPROVEMENT = "improvement", _("Improvement")
    PEOPLE = "people", _("People")
    ANSWERS = "answers", _("Answers")
    OPERATIONS = "operations", _("Operations")
    SETUP = "setup", _("Set-up")
    RUNNING = "running", _("System")


@dataclass(frozen=True)
class NavigationEntry:
    """A page that people go to from anywhere.

    key: unique, also the default for what a page calls itself
    icon: a file of `templates/icons/`
    permission: who sees it (None: everyone who is logged in)
    when: a second condition for what no permission says
    waiting: what waits there: rows of which each counts one; none shows nothing
    """

    key: str
    title: str | Promise
    url_name: str
    icon: str
    order: int
    group: Group = Group.TODAY
    permission: Permission | None = None
    when: Callable[[Principal], bool] | None = None
    waiting: Callable[[Principal], Sequence[QuerySet[Any]]] | None = None

    def is_for(self, principal: Principal) -> bool:
        if principal.is_anonymous:
            return False
        if self.permission is not None and not principal.may(self.permission):
            return False
        return self.when is None or self.when(principal)


def opens_workshop(principal: Principal) -> bool:
    """True for who may open Django's admin."""
    return principal.user is not None and principal.user.is_staff


NAVIGATION: Registry[NavigationEntry] = Registry("navigation")


@dataclass(frozen=True)
class Link:
    """An entry as it is shown to one person on one page."""

    key: str
    title: str | Promise
    url: str
    icon: str
    count: int
    is_current: bool


@dataclass(frozen=True)
class LinkGroup:
    title: str | Promise
    links: list[Link]


def navigation_for(request: HttpRequest) -> list[LinkGroup]:
    """Return the groups of links that who asks may follow; the deepest match is current."""
    principal = principal_of(request)
    entries = [entry for entry in NAVIGATION if entry.is_for(principal)]
    urls = {entry.key: reverse(entry.url_name) for entry in entries}
    current = _current(urls, request.path)
    counts = _counts(entries, principal)
    return [
        LinkGroup(group.label, links)
        for group in Group
        if (links := list(_links(entries, group, urls, current, counts)))
    ]


def _links(
    entries: list[NavigationEntry],
    group: Group,
    urls: dict[str, str],
    current: str,
    counts: Mapping[str, int],
) -> Iterator[Link]:
    mine = [entry for entry in entries if entry.group == group]
    for entry in sorted(mine, key=lambda entry: (entry.order, entry.key)):
        yield Link(
            key=entry.key,
            title=entry.title,
            url=urls[entry.key],
            icon=entry.icon,
            count=counts.get(entry.key, 0),
            is_current=entry.key == current,
        )


def _counts(entries: list[NavigationEntry], principal: Principal) -> dict[str, int]:
    """Return how much waits behind each entry. One query for all of them."""
    parts = [
        rows.order_by()
        .annotate(entry_key=Value(entry.key))
        .values("entry_key")
        .annotate(entry_count=Count("pk"))
        .values_list("entry_key", "entry_count")
        for entry in entries
        if entry.waiting
        for rows in entry.waiting(principal)
    ]
    counts: dict[str, int] = {}
    for key, count in parts[0].union(*parts[1:], all=True) if parts else ():
        counts[key] = counts.get(key, 0) + count
    return counts


def _current(urls: dict[str, str], path: str) -> str:
    """Return the key whose address is the longest beginning of `path` ("/" only as a whole)."""
    fitting = [
        (len(url), key)
        for key, url in urls.items()
        if path == url or (url != "/" and path.startswith(url))
    ]
    return max(fitting)[1] if fitting else ""
