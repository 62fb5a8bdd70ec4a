"""The models of the ground floor, room by room."""

from sqcore.access.models import ApiToken
from sqcore.achievements.models import Achievement
from sqcore.audit.models import AuditCheck, AuditEntry, AuditSeal
from sqcore.base.models import Delivery, Heartbeat, OutboxEvent, RememberedRequest
from sqcore.comparators.models import Comparator, ComparatorValue, ForeignName
from sqcore.encounters.models import (
    Customer,
    Encounter,
    EncounterSums,
    Service,
    Stage,
    TouchedSpan,
)
from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue, QuietPeriod
from sqcore.files.models import FileImport
from sqcore.identity.models import User
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    IndicatorEpoch,
    IndicatorSystem,
    SystemVersion,
    Target,
    WeightedIndicator,
)
from sqcore.jobs.models import Job
from sqcore.measurements.models import (
    Equipment,
    EquipmentState,
    Feed,
    Measure,
    Observation,
)
from sqcore.monitoring.models import (
    Annotation,
    Baseline,
    EarlyWarning,
    Signal,
    SignalEvent,
    Watch,
)
from sqcore.notices.models import Notice
from sqcore.org.models import (
    Assignment,
    Channel,
    Holiday,
    Leave,
    Organisation,
    Placement,
    Post,
    RoleGrant,
    Segment,
    Staff,
    Terms,
    Unit,
)
from sqcore.performance.models import (
    AnswerBatch,
    Dispute,
    FrozenReliability,
    Look,
    Outage,
    ResultsPolicy,
    ResultsRun,
    StaffResult,
)
from sqcore.publication.models import Candidate, Goal, Rating
from sqcore.webhooks.models import Webhook, WebhookMessage
from sqcore.weighting.models import ExpertInvitation, ExpertRound, Judgement, WeightSet

__all__ = [
    "Achievement",
    "Annotation",
    "AnswerBatch",
    "ApiToken",
    "Assignment",
    "AuditCheck",
    "AuditEntry",
    "AuditSeal",
    "Baseline",
    "Candidate",
    "Channel",
    "Comparator",
    "ComparatorValue",
    "Customer",
    "Delivery",
    "Dimension",
    "Dispute",
    "EarlyWarning",
    "Encounter",
    "EncounterSums",
    "Equipment",
    "EquipmentState",
    "EvaluationRun",
    "ExpertInvitation",
    "ExpertRound",
    "Feed",
    "FileImport",
    "ForeignName",
    "FrozenCells",
    "FrozenReliability",
    "Goal",
    "Heartbeat",
    "Holiday",
    "Indicator",
    "IndicatorEpoch",
    "IndicatorSystem",
    "Job",
    "Judgement",
    "KpiValue",
    "Leave",
    "Look",
    "Measure",
    "Notice",
    "Observation",
    "Organisation",
    "Outage",
    "OutboxEvent",
    "Placement",
    "Post",
    "QuietPeriod",
    "Rating",
    "RememberedRequest",
    "ResultsPolicy",
    "ResultsRun",
    "RoleGrant",
    "Segment",
    "Service",
    "Signal",
    "SignalEvent",
    "Staff",
    "StaffResult",
    "Stage",
    "SystemVersion",
    "Target",
    "Terms",
    "TouchedSpan",
    "Unit",
    "User",
    "Watch",
    "Webhook",
    "WebhookMessage",
    "WeightSet",
    "WeightedIndicator",
]
