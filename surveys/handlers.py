"""The handlers of domain events in this app, room by room."""

from surveys.imports import handlers as imports_handlers

__all__ = ["imports_handlers"]
