import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from sqcore.base.registry import Registry
from sqcore.dashboards import navigation
from sqcore.dashboards.navigation import Group, NavigationEntry, navigation_for
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import ANONYMOUS, EVERYWHERE, Principal
from sqcore.org.models import Channel, Post
from sqcore.tests.factories import make_channel, make_post, make_principal

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def entries(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[NavigationEntry] = Registry("navigation")
    for entry in (
        NavigationEntry("jobs", "Jobs", "sqcore:jobs-list", "jobs", 20, Group.RUNNING),
        NavigationEntry(
            "runs", "Runs", "sqcore:dashboards-design", "jobs", 10, Group.RUNNING,
            permission=Permission.RUN_EVALUATION,
        ),
        NavigationEntry(
            "inbox", "Inbox", "sqcore:notices-inbox", "inbox", 5,
            waiting=lambda _p: [Channel.objects.all(), Post.objects.order_by("code")],
        ),
    ):  # fmt: skip
        registry.register(entry)
    monkeypatch.setattr(navigation, "NAVIGATION", registry)


def request_of(principal: Principal, path: str = "/jobs/") -> HttpRequest:
    request = RequestFactory().get(path)
    request.principal = principal  # type: ignore[attr-defined]  # as the middleware does
    return request


def shown_to(principal: Principal, path: str = "/jobs/") -> list[str]:
    groups = navigation_for(request_of(principal, path))
    return [link.key for group in groups for link in group.links]


def test_shows_only_what_the_person_may_open() -> None:
    assert shown_to(make_principal({})) == ["inbox", "jobs"]


def test_orders_groups_and_entries() -> None:
    analyst = make_principal({Permission.RUN_EVALUATION: EVERYWHERE})

    assert shown_to(analyst) == ["inbox", "runs", "jobs"]


def test_shows_nothing_before_log_in() -> None:
    assert shown_to(ANONYMOUS) == []


@pytest.mark.parametrize(
    ("path", "current"),
    [("/jobs/", "jobs"), ("/jobs/7d0c/", "jobs"), ("/inbox/", "inbox"), ("/profile/", None)],
)
def test_marks_the_entry_that_the_page_is_below(path: str, current: str | None) -> None:
    groups = navigation_for(request_of(make_principal({}), path))

    marked = [link.key for group in groups for link in group.links if link.is_current]
    assert marked == ([current] if current else [])


def test_says_how_much_waits(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_channel("counter")
    make_channel("phone")
    make_post()

    with django_assert_num_queries(1):
        (today, _running) = navigation_for(request_of(make_principal({})))

    assert [(link.key, link.count) for link in today.links] == [("inbox", 3)]
