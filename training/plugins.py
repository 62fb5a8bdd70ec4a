"""What this app offers to the registries of the house."""

from django.utils.translation import gettext_lazy as _

from sqcore.base.trainable import TRAINABLE
from sqcore.dashboards.navigation import NAVIGATION, Group, NavigationEntry
from sqcore.dashboards.panels import PANELS
from sqcore.demo.chapters import CHAPTERS
from sqcore.files.kinds import ROW_KINDS
from sqcore.identity.permissions import Permission
from sqcore.jobs.runner import JOB_KINDS
from sqcore.reports.evidence import EVIDENCE
from sqcore.reports.sections import REPORT_SECTIONS
from training.certificates.pages import claims_waiting
from training.certificates.panels import PersonCertificates
from training.certificates.sources import HeldCertificates
from training.competencies.evidence import MissingSkills
from training.competencies.panels import SkillsPanel
from training.competencies.sources import Competencies
from training.courses.pages import reads_courses
from training.demo.chapters import TrainingChapter
from training.enrolments.sources import PROOFS, PassedSessions
from training.incentives.award_pages import waits_for_me
from training.incentives.panels import (
    AwardsWaiting,
    PersonAwards,
    PersonRecognitions,
    ThankedPanel,
)
from training.incentives.readers import decides_on_awards, sees_incentives
from training.incentives.rulebook import RULES
from training.incentives.rules import (
    AboveHonour,
    AchievementFixed,
    CareerChecklist,
    FeedbackNote,
    ResultLinear,
    ThanksHonour,
    UnitResult,
)
from training.needs.panels import OpenNeeds, PersonNeeds, needs_waiting
from training.records.panels import MyTrainingPanel, PersonTraining
from training.records.review import TrainingSection
from training.records.rows import CertificateRows, TrainingRecordRows
from training.requirements.services import RequirementsJob

PROOFS.register(PassedSessions())
PROOFS.register(HeldCertificates())
JOB_KINDS.register(RequirementsJob())
CHAPTERS.register(TrainingChapter())
NAVIGATION.register(
    NavigationEntry(
        key="training",
        title=_("Training"),
        url_name="training:records-overview",
        icon="people",
        order=15,
        group=Group.PEOPLE,
        permission=Permission.VIEW_TRAINING,
    )
)
RULES.register(UnitResult())
RULES.register(ResultLinear())
RULES.register(AchievementFixed())
RULES.register(AboveHonour())
RULES.register(ThanksHonour())
RULES.register(CareerChecklist())
RULES.register(FeedbackNote())
NAVIGATION.register(
    NavigationEntry(
        key="skills",
        title=_("Skills"),
        url_name="training:competencies-matrix",
        icon="table",
        order=20,
        group=Group.PEOPLE,
        permission=Permission.VIEW_TRAINING,
    )
)
PANELS.register(SkillsPanel())
NAVIGATION.register(
    NavigationEntry(
        key="training-effect",
        title=_("Effect of training"),
        url_name="training:effect-list",
        icon="check",
        order=60,
        group=Group.PEOPLE,
        permission=Permission.VIEW_TRAINING,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="my-training",
        title=_("My training"),
        url_name="training:records-mine",
        icon="tasks",
        order=10,
        group=Group.PEOPLE,
        when=lambda principal: principal.staff_id is not None,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="courses",
        title=_("Courses"),
        url_name="training:courses-list",
        icon="standard",
        order=30,
        group=Group.PEOPLE,
        when=reads_courses,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="training-sessions",
        title=_("Sessions"),
        url_name="training:courses-calendar",
        icon="calendar",
        order=40,
        group=Group.PEOPLE,
        permission=Permission.VIEW_TRAINING,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="certificates",
        title=_("Certificates"),
        url_name="training:certificates-list",
        icon="ledger",
        order=45,
        group=Group.PEOPLE,
        permission=Permission.VIEW_TRAINING,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="training-elsewhere",
        title=_("Training elsewhere"),
        url_name="training:certificates-external",
        icon="external",
        order=46,
        group=Group.PEOPLE,
        permission=Permission.VIEW_TRAINING,
        waiting=claims_waiting,
    )
)
PANELS.register(MyTrainingPanel())
PANELS.register(PersonTraining())
PANELS.register(PersonCertificates())
TRAINABLE.register(Competencies())
ROW_KINDS.register(TrainingRecordRows())
ROW_KINDS.register(CertificateRows())
NAVIGATION.register(
    NavigationEntry(
        key="training-needs",
        title=_("Training needs"),
        url_name="training:needs-list",
        icon="tasks",
        order=30,
        group=Group.PEOPLE,
        permission=Permission.VIEW_TRAINING,
        waiting=needs_waiting,
    )
)
PANELS.register(OpenNeeds())
PANELS.register(PersonNeeds())
NAVIGATION.register(
    NavigationEntry(
        key="incentives",
        title=_("Incentives"),
        url_name="training:incentives-list",
        icon="standard",
        order=70,
        group=Group.PEOPLE,
        when=sees_incentives,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="awards",
        title=_("Awards to decide"),
        url_name="training:incentives-proposals",
        icon="inbox",
        order=71,
        group=Group.PEOPLE,
        when=decides_on_awards,
        waiting=waits_for_me,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="recognition",
        title=_("Recognition"),
        url_name="training:incentives-wall",
        icon="person",
        order=72,
        group=Group.PEOPLE,
        when=sees_incentives,
    )
)
PANELS.register(PersonAwards())
PANELS.register(PersonRecognitions())
PANELS.register(AwardsWaiting())
PANELS.register(ThankedPanel())
EVIDENCE.register(MissingSkills())
REPORT_SECTIONS.register(TrainingSection())
