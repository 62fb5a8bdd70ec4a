"""The handlers of domain events in this app, room by room."""

from training.certificates import handlers as certificates_handlers
from training.incentives import handlers as incentives_handlers
from training.needs import handlers as needs_handlers
from training.requirements import handlers as requirements_handlers

__all__ = [
    "certificates_handlers",
    "incentives_handlers",
    "needs_handlers",
    "requirements_handlers",
]
