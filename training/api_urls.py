"""Addresses of the REST interface, room by room."""

from django.urls import URLPattern, URLResolver, path

from training.certificates import api as certificates
from training.competencies.api import CompetencyListView, EvidenceListView
from training.courses import api as courses
from training.effect import api as effect
from training.enrolments import api as enrolments
from training.incentives import api as incentives
from training.needs.api import NeedListView
from training.requirements import api as requirements

app_name = "training-api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("courses", courses.CourseListView.as_view(), name="courses"),
    path("sessions", enrolments.SessionListView.as_view(), name="sessions"),
    path(
        "sessions/<slug:code>/enrolments",
        enrolments.SessionEnrolmentsView.as_view(),
        name="session-enrolments",
    ),
    path("enrolments", enrolments.EnrolmentView.as_view(), name="enrolments"),
    path("attempts", enrolments.AttemptView.as_view(), name="attempts"),
    path("certificates", certificates.CertificateListView.as_view(), name="certificates"),
    path("studies", effect.StudyListView.as_view(), name="studies"),
    path("courses/<slug:code>/effect", effect.CourseEffectView.as_view(), name="course-effect"),
    path("requirements", requirements.RequirementListView.as_view(), name="requirements"),
    path("obligations", requirements.ObligationListView.as_view(), name="obligations"),
    path("schemes", incentives.SchemeListView.as_view(), name="schemes"),
    path("proposals", incentives.ProposalListView.as_view(), name="proposals"),
    path(
        "proposals/<int:proposal_id>/review",
        incentives.ReviewView.as_view(),
        name="proposal-review",
    ),
    path(
        "proposals/<int:proposal_id>/approve",
        incentives.ApprovalView.as_view(),
        name="proposal-approve",
    ),
    path("ledger", incentives.LedgerView.as_view(), name="ledger"),
    path("payroll-batches", incentives.BatchListView.as_view(), name="payroll-batches"),
    path("competencies", CompetencyListView.as_view(), name="competencies"),
    path("evidence", EvidenceListView.as_view(), name="evidence"),
    path("training-needs", NeedListView.as_view(), name="training-needs"),
]
