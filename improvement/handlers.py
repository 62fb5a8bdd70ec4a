"""The handlers of domain events in this app, room by room."""

from improvement.actions import handlers as actions_handlers
from improvement.cycle import handlers as cycle_handlers
from improvement.tickets import handlers as tickets_handlers

__all__ = ["actions_handlers", "cycle_handlers", "tickets_handlers"]
