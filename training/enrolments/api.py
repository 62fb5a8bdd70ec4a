"""Sessions and who takes part in them, over REST: learning systems enrol people, send results."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request

from sqcore.audit.services import record
from sqcore.base.api import Keyset, json_response, page_of, remembered_response
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.filters import conditions_of
from sqcore.base.idempotency import Answer, answer_once
from sqcore.base.openapi import IDEMPOTENCY_KEY, documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from sqcore.org.queries import local_day
from training.courses.filters import SessionFilter
from training.courses.models import Session
from training.courses.queries import session_named
from training.courses.serializers import SessionRow
from training.enrolments.models import Attempt, Enrolment
from training.enrolments.queries import (
    enrolment_of_number,
    enrolments_in,
    sessions_reported,
    staff_numbered,
)
from training.enrolments.serializers import (
    AttemptRequest,
    AttemptRow,
    EnrolmentRequest,
    EnrolmentRow,
)
from training.enrolments.services import enrol, record_attempt

BY_ID = Keyset(("id",))
SEES = {"GET": (Permission.VIEW_TRAINING,)}
PLANS = {"POST": (Permission.PLAN_TRAINING, Permission.MANAGE_TRAINING)}
TAG = "Training"


class SessionListView(ApiView):
    needs = SEES

    @documented(
        operation="training_sessions", summary="Sessions of courses, with how full they are",
        about="Of the whole organisation and of your units.", tag=TAG,
        answer=page_schema(SessionRow), filters=SessionFilter, pages=True,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(SessionFilter, request._request.GET)
        sessions = sessions_reported(self.principal).filter(**asked)
        return json_response(page_of(request._request, sessions, BY_ID, session_row))


class SessionEnrolmentsView(ApiView):
    """Numbers only, and each reading stands in the ledger."""

    needs = SEES

    @documented(
        operation="enrolments",
        summary="Who takes part in a session, with their results",
        about="Of the people whose training you may see, by number. Every reading is recorded.",
        tag=TAG,
        answer=page_schema(EnrolmentRow),
        pages=True,
        problems=(404,),
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        conditions_of(None, request._request.GET)
        now = timezone.now()
        session = session_named(self.principal, code)
        rows = enrolments_in(self.principal, session, on=local_day(now))
        page = page_of(request._request, rows, BY_ID, enrolment_row)
        record(
            action="people.read",
            subject=f"session:{session.pk}",
            by=self.principal,
            now=now,
            details={"numbers": [row["staff"] for row in page["results"]]},
        )
        return json_response(page)


class EnrolmentView(ApiView):
    needs = PLANS

    @documented(
        operation="enrol",
        summary="Enrol somebody in a session",
        about="The state of the answer says whether there was a seat or a place on the waiting"
        " list. Who is in it already stays as they are.",
        tag=TAG,
        takes=EnrolmentRequest,
        answer=EnrolmentRow,
        status=201,
        problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "One person", request_only=True, value={"session": "calm-2026-03", "staff": "1001"}
            )
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        now, sent = timezone.now(), self.sent(request)
        asked = understood(EnrolmentRequest, sent)

        def make() -> Answer:
            staff = staff_numbered(self.principal, asked["staff"], on=local_day(now))
            enrolment = enrol(
                session_id=session_named(self.principal, asked["session"]).pk,
                staff_id=staff.pk,
                origin=self._origin(staff.pk),
                by=self.principal,
                now=now,
            )
            return Answer(201, enrolment_row(enrolment))

        return self._once(request, "enrolments", sent, make, now)

    def _origin(self, staff_id: int) -> str:
        if self.principal.user is None:
            return Enrolment.Origin.IMPORT
        own = self.principal.staff_id == staff_id
        return Enrolment.Origin.SELF if own else Enrolment.Origin.MANAGER

    def _once(
        self, request: Request, what: str, sent: dict[str, Any], make: Any, now: datetime
    ) -> HttpResponse:
        answer = answer_once(
            scope=f"{self.principal.key} {what}",
            key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""),
            body=sent,
            today=local_day(now),
            make=make,
        )
        return remembered_response(answer)


class AttemptView(EnrolmentView):
    @documented(
        operation="send_result",
        summary="Send the result of a test",
        about="Before the course, of its test, or some time later. Attempts are limited and all"
        " are kept.",
        tag=TAG,
        takes=AttemptRequest,
        answer=AttemptRow,
        status=201,
        problems=(404, 409, 413, 415, 422),
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "A test", request_only=True,
                value={"session": "calm-2026-03", "staff": "1001", "kind": "test", "score": "82.5",
                       "on": "2026-03-10"},
            )
        ],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        now, sent = timezone.now(), self.sent(request)
        asked = understood(AttemptRequest, sent)

        def make() -> Answer:
            enrolment = enrolment_of_number(
                self.principal, asked["session"], asked["staff"], on=local_day(now)
            )
            attempt = record_attempt(
                enrolment_id=enrolment.pk,
                kind=asked["kind"],
                score=asked["score"],
                on=asked["on"],
                by=self.principal,
                now=now,
            )
            return Answer(201, attempt_row(attempt))

        return self._once(request, "attempts", sent, make, now)


def session_row(session: Session) -> dict[str, Any]:
    return {
        "code": session.code,
        "course": session.version.course.code,
        "version": session.version.number,
        "mode": session.mode,
        "unit": session.unit.code if session.unit else None,
        "place": session.place,
        "trainer": session.trainer.number if session.trainer else None,
        "provider": session.provider,
        "capacity": session.capacity,
        "taken": session.taken,  # type: ignore[attr-defined]  # annotated by the query
        "waiting": session.waiting,  # type: ignore[attr-defined]  # annotated by the query
        "state": session.state,
        "starts_on": session.starts_on,
        "ends_on": session.ends_on,
        "enrol_until": session.enrol_until,
        "planned_cost": session.planned_cost,
        "actual_cost": session.actual_cost,
        "slots": [
            {"id": slot.pk, "starts_at": slot.starts_at, "ends_at": slot.ends_at}
            for slot in session.slots.all()
        ],
    }


def enrolment_row(enrolment: Enrolment) -> dict[str, Any]:
    on = enrolment.concluded_on
    return {
        "id": enrolment.pk,
        "session": enrolment.session.code,
        "staff": enrolment.staff.number,
        "state": str(enrolment.state),
        "origin": str(enrolment.origin),
        "enrolled_at": _moment(enrolment.enrolled_at),
        "concluded_on": on.isoformat() if on else None,
        "minutes": enrolment.minutes,
        "attempts": [attempt_row(attempt) for attempt in enrolment.attempts.all()],
    }


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    return {
        "kind": str(attempt.kind),
        "number": attempt.number,
        "score": f"{attempt.score:.2f}",
        "passed": attempt.passed,
        "on": attempt.on.isoformat(),
    }


def _moment(at: datetime) -> str:
    """Write a moment as the rest of the interface does; answers that are kept hold only text."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def understood(kind: type[serializers.Serializer[Any]], sent: dict[str, Any]) -> dict[str, Any]:
    """raises: InvalidInput for fields that there are not; ValidationError for others"""
    asked = kind(data=sent)
    unknown = sorted(set(sent) - set(asked.fields))
    if unknown:
        problems = [Problem("is not a field here", field=name[:60]) for name in unknown]
        raise InvalidInput("Some fields are wrong.", problems=problems)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
