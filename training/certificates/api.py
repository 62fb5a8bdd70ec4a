"""Certificates over REST: read by number, sent by learning systems under their own key."""

from datetime import date
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from sqcore.audit.services import record
from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day
from training.certificates.filters import CertificateFilter
from training.certificates.models import Certificate
from training.certificates.queries import certificates_seen_by
from training.certificates.serializers import CertificateRequest, CertificateRow
from training.certificates.services import take_certificate
from training.enrolments.api import understood

BY_ID = Keyset(("id",))
TAG = "Training"


class CertificateListView(ApiView):
    """Numbers only, and each reading stands in the ledger."""

    needs = {"GET": (Permission.VIEW_TRAINING,), "POST": (Permission.MANAGE_TRAINING,)}

    @documented(
        operation="certificates", summary="Certificates, as they stand today", tag=TAG,
        about="Of the people whose training you may see, by number. Every reading is recorded.",
        answer=page_schema(CertificateRow), filters=CertificateFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(CertificateFilter, request._request.GET)
        now = timezone.now()
        today = local_day(now)
        rows = certificates_seen_by(self.principal, on=today).filter(**asked)
        page = page_of(request._request, rows, BY_ID, lambda row: certificate_row(row, today))
        record(
            action="people.read",
            subject="certificates",
            by=self.principal,
            now=now,
            details={"numbers": sorted({row["staff"] for row in page["results"]})},
        )
        return json_response(page)

    @documented(
        operation="send_certificate",
        summary="Send a certificate that you keep under a key of your own",
        about="201 answers a new certificate, 200 the one that came before under this key, with "
        "the days that you sent now. A key never changes its person or course.",
        tag=TAG,
        takes=CertificateRequest,
        answer=CertificateRow,
        status=201,
        problems=(409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "From a learning system", request_only=True,
                value={"external_key": "lms-88231", "staff": "1001", "course": "fire-safety",
                       "issued_on": "2026-03-10"},
            )
        ],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        now, sent = timezone.now(), self.sent(request)
        asked = understood(CertificateRequest, sent)
        today = local_day(now)

        def make() -> Answer:
            certificate, is_new = take_certificate(
                external_key=asked["external_key"],
                staff_number=asked["staff"],
                course_code=asked["course"],
                issued_on=asked["issued_on"],
                expires_on=asked["expires_on"],
                by=self.principal,
                now=now,
            )
            return Answer(201 if is_new else 200, certificate_row(certificate, today))

        answer = answer_once(
            scope=f"{self.principal.key} certificates",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=today,
            make=make,
        )
        return remembered_response(answer)


def certificate_row(certificate: Certificate, today: date) -> dict[str, Any]:
    version, renews = certificate.version, certificate.renews
    row = {
        "number": certificate.number,
        "staff": certificate.staff.number,
        "course": certificate.course.code,
        "version": version.number if version else None,
        "external_key": certificate.external_key,
        "renews": renews.number if renews else None,
        "issued_on": certificate.issued_on,
        "due_on": certificate.due_on,
        "expires_on": certificate.expires_on,
        "standing": certificate.standing_on(today).value,
        "revoked_at": certificate.revoked_at,
    }
    return dict(CertificateRow(row).data)
