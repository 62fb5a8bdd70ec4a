"""Which windows are due, and the long work that computes them."""

from datetime import date, datetime, timedelta

from django.utils.translation import gettext_lazy as lazy

from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_all_languages
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.services import start
from sqcore.org.queries import local_day
from sqcore.performance.models import Dispute, ResultsRun
from sqcore.performance.queries import current_run, current_runs
from sqcore.performance.runs import compute_window, publish_window, rules_for
from sqcore.performance.sources import PERSON_SOURCES
from sqcore.performance.windows import disputed_pairs, disputes_in, held_units, months_before

JOB_KIND = "people-results"
MOST_MISSED = 12
"""So many windows at the most are computed after a time in which nothing ran."""


class PeopleResultsJob:
    """The windows that are due, one after the other; each is a transaction under the fence."""

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        windows = due_windows(now=context.now())
        for done, (ends_on, reason) in enumerate(windows):
            context.progress(done, len(windows), ends_on.isoformat())
            policy = rules_for(ends_on, context.now())
            computed = compute_window(policy, ends_on, context.now())
            with context.fenced():
                publish_window(computed, policy, reason=reason, now=context.now())
        context.progress(len(windows), len(windows))
        with context.completing() as result:
            result["windows"] = [ends_on.isoformat() for ends_on, _reason in windows]


def evaluate_due(*, now: datetime) -> Job | None:
    """Start the job of the windows that are due; None when nothing is."""
    if not due_windows(now=now):
        return None
    return start(
        kind=JOB_KIND,
        key=JOB_KIND,
        title=in_all_languages(lazy("Results of people")),
        parameters={},
        owner=None,
        now=now,
    )


def due_windows(*, now: datetime) -> list[tuple[date, str]]:
    """Return the windows to compute, the oldest first, and why.

    Closed months that have no run; windows about which disputes were raised or decided since; and
    the newest one when a signal of waiting times opened or ended since.
    """
    if not any(source.measures() for source in PERSON_SOURCES):
        return []
    newest = Period.of(local_day(now), Grain.MONTH).start
    last = current_run()
    due = [(run.ends_on, "dispute") for run in current_runs() if _is_disputed_otherwise(run)]
    if last is None:
        return [(newest, "month")]
    if last.ends_on not in dict(due) and _is_held_otherwise(last):
        due.append((last.ends_on, "signal"))
    missed = [
        months_before(newest, back)
        for back in range(MOST_MISSED)
        if months_before(newest, back) > last.ends_on
    ]
    return sorted([*due, *((ends_on, "month") for ends_on in missed)])


def _is_disputed_otherwise(run: ResultsRun) -> bool:
    """Whether a dispute was raised, decided, withdrawn or reversed since a run that it touches.

    It touches the window that was the newest when it was raised, and those after that.
    """
    setting = run.frozen["setting"]
    found = disputes_in(date.fromisoformat(setting["first"]))
    after = Period.of(run.ends_on, Grain.MONTH).end
    later = set(disputed_pairs(Dispute.objects.filter(raised_at__date__gte=after)))
    was_upheld = {tuple(pair) for pair in setting["excluded"]}
    was_open = {tuple(pair) for pair in setting["pending"]}
    before = (was_upheld - later, was_open - later)
    return before != (set(found.excluded) - later, set(found.pending) - later)


def _is_held_otherwise(run: ResultsRun) -> bool:
    setting = run.frozen["setting"]
    units = {row[1] for row in setting["people"]}
    held = held_units(run.policy, units, run.ends_on - timedelta(days=1))
    return bool(held != setting["held_units"])
