"""The periodic and background tasks of this app, room by room."""

from training.enrolments import tasks as enrolments_tasks
from training.incentives import tasks as incentives_tasks
from training.needs import tasks as needs_tasks
from training.requirements import tasks as requirements_tasks

__all__ = ["enrolments_tasks", "incentives_tasks", "needs_tasks", "requirements_tasks"]
