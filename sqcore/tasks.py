"""The periodic and background tasks of this app, room by room."""

from sqcore.jobs import tasks as jobs_tasks

__all__ = ["jobs_tasks"]
