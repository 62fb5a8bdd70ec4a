"""Addresses of the token pages."""

from django.urls import path

from sqcore.access.views import revoke, tokens

urlpatterns = [
    path("tokens/", tokens, name="access-tokens"),
    path("tokens/<int:token_id>/revoke", revoke, name="access-revoke"),
]
