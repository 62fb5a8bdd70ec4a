"""Addresses of sessions and of what is done with who is in them."""

from django.urls import path

from training.enrolments import views

urlpatterns = [
    path("training/sessions/<slug:code>/", views.session, name="courses-session"),
    path("training/sessions/<slug:code>/change/", views.change, name="courses-change"),
    path("training/sessions/<slug:code>/cancel/", views.cancel, name="courses-cancel"),
    path("training/sessions/<slug:code>/join/", views.join, name="enrolments-join"),
    path("training/sessions/<slug:code>/enrol/", views.enrol, name="enrolments-enrol"),
    path(
        "training/sessions/<slug:code>/people/<int:pk>/cancel/",
        views.cancel_enrolment,
        name="enrolments-cancel",
    ),
    path(
        "training/sessions/<slug:code>/attendance/", views.attendance, name="enrolments-attendance"
    ),
    path("training/sessions/<slug:code>/attendance/list/", views.paste, name="enrolments-paste"),
    path("training/sessions/<slug:code>/results/", views.results, name="enrolments-results"),
    path("training/sessions/<slug:code>/door/", views.door, name="enrolments-door"),
    path("training/sessions/<slug:code>/sign-in/", views.sign_in, name="enrolments-sign-in"),
]
