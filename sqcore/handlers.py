"""The handlers of domain events in this app, room by room."""

from sqcore.evaluation import handlers as evaluation_handlers
from sqcore.notices import handlers as notices_handlers

__all__ = ["evaluation_handlers", "notices_handlers"]
