"""Kinds of jobs for the tests, each registered for the length of one test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqcore.identity.models import User
from sqcore.jobs import services
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JOB_KINDS, JobContext
from sqcore.tests.factories import NOW

KIND = "test.kind"


@dataclass(frozen=True)
class Kind:
    run: Callable[[JobContext], None]
    key: str = KIND


@contextmanager
def kind_that(run: Callable[[JobContext], None]) -> Iterator[None]:
    """Offer a kind of job that does `run`."""
    JOB_KINDS.register(Kind(run))
    try:
        yield
    finally:
        del JOB_KINDS._offers[KIND]


def start_job(key: str = "one", *, owner: User | None = None, now: datetime = NOW) -> Job:
    return services.start(
        kind=KIND, key=key, title={"en": "A job"}, parameters={"n": 3}, owner=owner, now=now
    )
