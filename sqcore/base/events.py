"""Every domain event: what happened, with ids and codes, never with instances or opinions.

An event about answers never names a single anonymous response.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Event:
    """Base of all events. `kind` is its name on the wire and never changes."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class ResponsesImported(Event):
    """A file of answers is in.

    Heard by: evaluation (the periods it touched become due), imports (who gave it is told).
    """

    kind: ClassVar[str] = "surveys.responses.imported"
    import_id: int
    first_on: str
    last_on: str
    finest_grain: str


@dataclass(frozen=True)
class IndicatorRedefined(Event):
    """From a day on, a published indicator measures something else: a new epoch.

    Heard by: monitoring (it is written on the charts).
    """

    kind: ClassVar[str] = "indicators.indicator.redefined"
    epoch_id: int


@dataclass(frozen=True)
class EvaluationPublished(Event):
    """A run is on the pages.

    Heard by: evaluation (who looks after results is told), monitoring (signals are searched),
    webhooks.
    """

    kind: ClassVar[str] = "evaluation.run.published"
    run_id: int


@dataclass(frozen=True)
class SignalRaised(Event):
    """A signal was found, or came back in a new episode.

    Heard by: tickets (a ticket is proposed, or the signal joins one), cycle (the ticket of what
    came back is reopened), webhooks.
    """

    kind: ClassVar[str] = "monitoring.signal.raised"
    signal_id: int
    episode: int


@dataclass(frozen=True)
class SignalRecovered(Event):
    """A signal is over. Heard by: tickets (untouched proposals are withdrawn), webhooks."""

    kind: ClassVar[str] = "monitoring.signal.recovered"
    signal_id: int
    episode: int


@dataclass(frozen=True)
class TicketMoved(Event):
    """A ticket was proposed, or went from one state to another.

    Heard by: tickets (what became of a proposal is told), cycle (who has to do with it is told),
    webhooks.
    """

    kind: ClassVar[str] = "improvement.ticket.moved"
    ticket_id: int
    former: str
    state: str
    step_id: int


@dataclass(frozen=True)
class EffectVerified(Event):
    """The verdict on an effect was confirmed; `staff_ids` are who carried the actions out.

    Heard by: webhooks, achievements (an improvement counts as theirs).
    """

    kind: ClassVar[str] = "improvement.effect.verified"
    ticket_id: int
    check_id: int
    verdict: str
    on: str = ""
    staff_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class StaffResultsPublished(Event):
    """Results of people are on the pages.

    Heard by: performance (each person is told), needs (training needs open), incentives (a result
    above comparable colleagues is an achievement), webhooks.
    """

    kind: ClassVar[str] = "performance.results.published"
    run_id: int


@dataclass(frozen=True)
class PeopleMoved(Event):
    """People began or ended to work somewhere, by a file. Heard by: requirements (what is required
    of them there)."""

    kind: ClassVar[str] = "org.people.moved"
    staff_ids: tuple[int, ...]


@dataclass(frozen=True)
class CertificateIssued(Event):
    """Somebody holds a certificate. Heard by: requirements (what it meets), needs (what it
    answers), achievements, webhooks."""

    kind: ClassVar[str] = "training.certificate.issued"
    certificate_id: int
    staff_id: int
    course: str
    on: str
    title: dict[str, str]


@dataclass(frozen=True)
class CertificateRevoked(Event):
    """A certificate is taken back. Heard by: requirements, achievements. The reason stays here."""

    kind: ClassVar[str] = "training.certificate.revoked"
    certificate_id: int
    staff_id: int
    course: str
    reason: str


@dataclass(frozen=True)
class TrainingCompleted(Event):
    """Somebody ended a course with success. Heard by: needs (what it answers), requirements (what
    it meets), achievements, webhooks.

    `enrolment_id` names it; for training had elsewhere that is None, and `external_id` names it.
    """

    kind: ClassVar[str] = "training.course.completed"
    enrolment_id: int | None
    staff_id: int
    course: str
    on: str
    title: dict[str, str]
    external_id: int | None = None


@dataclass(frozen=True)
class CourseVersionPublished(Event):
    """A version of a course is in use. Heard by: certificates (those of older versions end, where
    it says so), requirements (who owes it again)."""

    kind: ClassVar[str] = "training.course.version-published"
    version_id: int
    on: str


@dataclass(frozen=True)
class CompetencyShown(Event):
    """Somebody was seen to have a level of a competency; not what they say of themselves.

    Heard by: needs (what it answers).
    """

    kind: ClassVar[str] = "training.competency.shown"
    evidence_id: int
    staff_id: int
    competency: str
    level: int
    on: str


@dataclass(frozen=True)
class TrainingRequested(Event):
    """An improvement asks that people be trained; `reference` names the action.

    Heard by: needs (one opens for each person).
    """

    kind: ClassVar[str] = "improvement.training.requested"
    reference: str
    staff_ids: tuple[int, ...]
    competency: str
    text: str


@dataclass(frozen=True)
class TrainingDelivered(Event):
    """How far the training that an action asked for has come: so many of so many are done with it.

    Heard by: actions (it is shown beside the action).
    """

    kind: ClassVar[str] = "training.request.delivered"
    reference: str
    done: int
    of: int


@dataclass(frozen=True)
class AwardGranted(Event):
    """An award was approved by two people and stands in the ledger. Heard by: incentives (the
    person is told), achievements, webhooks."""

    kind: ClassVar[str] = "training.award.granted"
    entry_id: int
    staff_id: int
    scheme: str
    on: str
    title: dict[str, str]


@dataclass(frozen=True)
class JobFailed(Event):
    """A job gave up. Heard by: notices (its owner and who sees to long work)."""

    kind: ClassVar[str] = "jobs.job.failed"
    job_id: str
    fence: int
    title: dict[str, str]
    owner_id: int | None


def all_events() -> dict[str, type[Event]]:
    """Return every event class by its kind."""
    return {event.kind: event for event in Event.__subclasses__()}
