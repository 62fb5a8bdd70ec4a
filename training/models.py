"""The models of this app, room by room."""

from training.certificates.models import Certificate, ExternalTraining, NumberSeries
from training.competencies.models import Competency, Evidence, RequiredLevel
from training.courses.models import (
    Course,
    CourseVersion,
    Prerequisite,
    Programme,
    ProgrammeCourse,
    Session,
    Slot,
    Taught,
)
from training.effect.models import Study, StudyMember
from training.enrolments.models import Attempt, Attendance, Enrolment
from training.incentives.models import (
    BatchLine,
    Decision,
    LedgerEntry,
    PayrollBatch,
    Proposal,
    Recognition,
    Scheme,
    SchemeVersion,
    Trial,
)
from training.needs.models import Need, NeedReason
from training.records.models import CalendarFeed
from training.requirements.models import (
    Obligation,
    Reminder,
    Requirement,
    SavedFilter,
    Waiver,
)

__all__ = [
    "Attempt",
    "Attendance",
    "BatchLine",
    "CalendarFeed",
    "Certificate",
    "Competency",
    "Course",
    "CourseVersion",
    "Decision",
    "Enrolment",
    "Evidence",
    "ExternalTraining",
    "LedgerEntry",
    "Need",
    "NeedReason",
    "NumberSeries",
    "Obligation",
    "PayrollBatch",
    "Prerequisite",
    "Programme",
    "ProgrammeCourse",
    "Proposal",
    "Recognition",
    "Reminder",
    "RequiredLevel",
    "Requirement",
    "SavedFilter",
    "Scheme",
    "SchemeVersion",
    "Session",
    "Slot",
    "Study",
    "StudyMember",
    "Taught",
    "Trial",
    "Waiver",
]
