"""The periodic and background tasks of this app, room by room."""

from improvement.actions import tasks as actions_tasks
from improvement.cycle import tasks as cycle_tasks
from improvement.tickets import tasks as tickets_tasks

__all__ = ["actions_tasks", "cycle_tasks", "tickets_tasks"]
