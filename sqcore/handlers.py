"""The handlers of domain events in this app, room by room."""

from sqcore.achievements import handlers as achievements_handlers
from sqcore.evaluation import handlers as evaluation_handlers
from sqcore.monitoring import handlers as monitoring_handlers
from sqcore.notices import handlers as notices_handlers
from sqcore.performance import handlers as performance_handlers
from sqcore.webhooks import handlers as webhooks_handlers

__all__ = [
    "achievements_handlers",
    "evaluation_handlers",
    "monitoring_handlers",
    "notices_handlers",
    "performance_handlers",
    "webhooks_handlers",
]
