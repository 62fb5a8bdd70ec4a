"""Addresses of the pages of webhooks."""

from django.urls import path

from sqcore.webhooks import views

urlpatterns = [
    path("webhooks/", views.webhooks, name="webhooks-list"),
    path("webhooks/<int:webhook_id>/", views.webhook, name="webhooks-webhook"),
    path("webhooks/<int:webhook_id>/renew", views.renew, name="webhooks-renew"),
    path("webhooks/<int:webhook_id>/end", views.end, name="webhooks-end"),
    path("webhooks/<int:webhook_id>/try", views.try_it, name="webhooks-try"),
    path("webhooks/<int:webhook_id>/again", views.again, name="webhooks-again"),
]
