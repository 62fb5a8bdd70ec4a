"""All periodic work on one page. Celery beat rings; what is really due stands in the database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True)
class Row:
    task: str
    every: timedelta
    why: str


ROWS = (
    Row("sqcore.base.sweep", timedelta(seconds=10), "events whose message was lost are delivered"),
    Row("sqcore.jobs.sweep", timedelta(seconds=10), "jobs whose worker died are taken up again"),
    Row("surveys.responses.absorb", timedelta(seconds=30), "new answers join the statistics"),
    Row("sqcore.encounters.sum_up", timedelta(seconds=30), "encounters join the statistics"),
    Row("surveys.invitations.draw", timedelta(minutes=10), "who was served is invited to answer"),
    Row("surveys.invitations.settle", timedelta(hours=1), "used links lose the order of their use"),
    Row("sqcore.evaluation.run_due", timedelta(seconds=60), "closed and touched periods are run"),
    Row("surveys.analyses.run_due", timedelta(hours=1), "closed quarters and years are analysed"),
    Row("surveys.churn.run_due", timedelta(hours=1), "who may leave is told by closed months"),
    Row("surveys.churn.forget", timedelta(days=1), "runs of years ago are deleted"),
    Row("sqcore.webhooks.send_waiting", timedelta(seconds=60), "other systems are told"),
    Row("sqcore.webhooks.forget", timedelta(days=1), "messages of long ago are deleted"),
    Row("sqcore.monitoring.watch_due", timedelta(seconds=60), "signals in new figures"),
    Row("sqcore.monitoring.foretell_due", timedelta(minutes=10), "early warnings in new figures"),
    Row("sqcore.performance.evaluate_due", timedelta(days=1), "people are judged by closed months"),
    Row("improvement.actions.tell_of_overdue", timedelta(days=1), "overdue actions are told of"),
    Row("improvement.cycle.close_sustained", timedelta(days=1), "what held is closed"),
    Row("training.enrolments.tell_of_unclosed", timedelta(days=1), "sessions wait to be closed"),
    Row("training.enrolments.release_leavers", timedelta(days=1), "seats of who leaves are free"),
    Row("training.requirements.start_of_day", timedelta(hours=1), "a day ends what met and waived"),
    Row("sqcore.notices.send_mail", timedelta(seconds=60), "notices leave as e-mail"),
    Row("sqcore.audit.seal", timedelta(seconds=60), "new audit rows join the hash chain"),
    Row("sqcore.audit.check", timedelta(days=1), "the chain is computed again, its head kept"),
    Row("sqcore.base.forget_events", timedelta(days=1), "old events that all heard are deleted"),
    Row("sqcore.notices.forget", timedelta(days=1), "notices of long ago are deleted"),
    Row("sqcore.jobs.forget", timedelta(days=1), "jobs that ended long ago are deleted"),
    Row("surveys.imports.forget", timedelta(days=1), "files that nobody took in are deleted"),
    Row("sqcore.files.forget", timedelta(days=1), "files of rows that nobody took in are deleted"),
    Row("sqcore.measurements.tell_of_silence", timedelta(hours=1), "silent feeds are told of"),
    Row("improvement.tickets.announce", timedelta(minutes=5), "people are told of proposals"),
    Row("improvement.tickets.take_what_waits", timedelta(days=1), "mutes and cool-downs end"),
    Row("improvement.cycle.wake_snoozed", timedelta(hours=1), "proposals put off come back"),
    Row("training.incentives.propose_due", timedelta(days=1), "awards of a closed period"),
    Row("training.needs.search", timedelta(days=1), "gaps and ending certificates become needs"),
    Row("sqcore.base.forget_requests", timedelta(days=1), "repeat protection ends after its days"),
)


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Return the rows in Celery's form.

    A message that waited longer than its interval is dropped: the next one says the same, and a
    worker that comes back is not met by a thousand of them.
    """
    return {
        row.task: {
            "task": row.task,
            "schedule": row.every,
            "options": {"expires": max(row.every.total_seconds(), 30)},
        }
        for row in ROWS
    }
