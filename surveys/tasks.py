"""The periodic and background tasks of this app, room by room."""

from surveys.analyses import tasks as analyses_tasks
from surveys.churn import tasks as churn_tasks
from surveys.imports import tasks as imports_tasks
from surveys.invitations import tasks as invitations_tasks
from surveys.responses import tasks as responses_tasks

__all__ = [
    "analyses_tasks",
    "churn_tasks",
    "imports_tasks",
    "invitations_tasks",
    "responses_tasks",
]
