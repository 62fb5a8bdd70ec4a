"""The workshop pages of this app, room by room."""

from sqcore.base import admin as base_admin

__all__ = ["base_admin"]
