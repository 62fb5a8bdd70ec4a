"""The periodic and background tasks of this app, room by room."""

from surveys.responses import tasks as responses_tasks

__all__ = ["responses_tasks"]
