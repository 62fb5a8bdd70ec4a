"""The workshop pages of this app, room by room."""

from sqcore.base import admin as base_admin
from sqcore.evaluation import admin as evaluation_admin
from sqcore.identity import admin as identity_admin
from sqcore.indicators import admin as indicators_admin
from sqcore.org import admin as org_admin

__all__ = ["base_admin", "evaluation_admin", "identity_admin", "indicators_admin", "org_admin"]
