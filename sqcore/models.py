"""The models of the ground floor, room by room."""

from sqcore.access.models import ApiToken
from sqcore.audit.models import AuditCheck, AuditEntry, AuditSeal
from sqcore.base.models import Delivery, Heartbeat, OutboxEvent, RememberedRequest
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
from sqcore.notices.models import Notice
from sqcore.org.models import (
    Assignment,
    Channel,
    Holiday,
    Organisation,
    Placement,
    Post,
    RoleGrant,
    Segment,
    Staff,
    Unit,
)
from sqcore.weighting.models import Judgement, WeightSet

__all__ = [
    "ApiToken",
    "Assignment",
    "AuditCheck",
    "AuditEntry",
    "AuditSeal",
    "Channel",
    "Customer",
    "Delivery",
    "Dimension",
    "Encounter",
    "EncounterSums",
    "Equipment",
    "EquipmentState",
    "EvaluationRun",
    "Feed",
    "FileImport",
    "FrozenCells",
    "Heartbeat",
    "Holiday",
    "Indicator",
    "IndicatorSystem",
    "Job",
    "Judgement",
    "KpiValue",
    "Measure",
    "Notice",
    "Observation",
    "Organisation",
    "OutboxEvent",
    "Placement",
    "Post",
    "QuietPeriod",
    "RememberedRequest",
    "RoleGrant",
    "Segment",
    "Service",
    "Staff",
    "Stage",
    "SystemVersion",
    "Target",
    "TouchedSpan",
    "Unit",
    "User",
    "WeightSet",
    "WeightedIndicator",
]
