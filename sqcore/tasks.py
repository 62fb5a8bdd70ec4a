"""The periodic and background tasks of this app, room by room."""

from sqcore.audit import tasks as audit_tasks
from sqcore.base import tasks as base_tasks
from sqcore.encounters import tasks as encounters_tasks
from sqcore.evaluation import tasks as evaluation_tasks
from sqcore.files import tasks as files_tasks
from sqcore.jobs import tasks as jobs_tasks
from sqcore.measurements import tasks as measurements_tasks
from sqcore.monitoring import tasks as monitoring_tasks
from sqcore.notices import tasks as notices_tasks
from sqcore.performance import tasks as performance_tasks
from sqcore.webhooks import tasks as webhooks_tasks

__all__ = [
    "audit_tasks",
    "base_tasks",
    "encounters_tasks",
    "evaluation_tasks",
    "files_tasks",
    "jobs_tasks",
    "measurements_tasks",
    "monitoring_tasks",
    "notices_tasks",
    "performance_tasks",
    "webhooks_tasks",
]
