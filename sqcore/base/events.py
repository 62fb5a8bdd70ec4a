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
class EvaluationPublished(Event):
    """A run is on the pages. Heard by: evaluation (who looks after results is told)."""

    kind: ClassVar[str] = "evaluation.run.published"
    run_id: int


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
