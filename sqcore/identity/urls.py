"""Addresses of the own account."""

from django.urls import path

from sqcore.identity import views

urlpatterns = [
    path("log-in/", views.LogIn.as_view(), name="identity-login"),
    path("log-out/", views.LogOut.as_view(), name="identity-logout"),
    path("display/", views.display, name="identity-display"),
    path("profile/", views.profile, name="identity-profile"),
    path("profile/password/", views.PasswordChange.as_view(), name="identity-password"),
    path("password-reset/", views.PasswordReset.as_view(), name="identity-password-reset"),
    path(
        "password-reset/sent/",
        views.PasswordResetSent.as_view(),
        name="identity-password-reset-sent",
    ),
    path(
        "password-reset/<uidb64>/<token>/",
        views.PasswordResetConfirm.as_view(),
        name="identity-password-reset-confirm",
    ),
    path(
        "password-reset/done/",
        views.PasswordResetDone.as_view(),
        name="identity-password-reset-done",
    ),
    path(
        "first-administrator/<str:token>/",
        views.first_administrator,
        name="identity-first-administrator",
    ),
]
