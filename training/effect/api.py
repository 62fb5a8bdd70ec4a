"""The effect of training over REST."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from training.effect.filters import StudyFilter
from training.effect.models import Study
from training.effect.queries import course_of, learning_of, reaction_of, studies_seen_by
from training.effect.serializers import CourseEffect, StudyRow

SEES = (Permission.VIEW_TRAINING,)
BY_ID = Keyset(("id",))


class StudyListView(ApiView):
    needs = {"GET": SEES}

    @documented(
        operation="studies",
        summary="Studies of courses",
        about="Whether customers judge those who were trained better than people like them who "
        "were not. Registered before the results are in. “not-yet” is a verdict too.",
        tag="Training",
        answer=page_schema(StudyRow),
        filters=StudyFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(StudyFilter, request._request.GET)
        studies = studies_seen_by(self.principal).filter(**asked).order_by()
        return json_response(page_of(request._request, studies, BY_ID, _row))


class CourseEffectView(ApiView):
    needs = {"GET": SEES}

    @documented(
        operation="course_effect",
        summary="The effect of a course on three levels",
        about="What participants said, what they learnt, and what studies found. Groups smaller "
        "than the smallest that is shown are left out, and so is what participants said of a "
        "session whose questionnaire is still open.",
        tag="Training",
        answer=CourseEffect,
        problems=(404,),
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        conditions_of(None, request._request.GET, also=())
        course = course_of(self.principal, code)
        found = CourseEffect(
            {
                "course": course.code,
                "reaction": reaction_of(course, now=timezone.now()).figures,
                "learning": learning_of(course),
                "studies": studies_seen_by(self.principal).filter(course=course),
            }
        )
        return json_response(found.data)


def _row(study: Study) -> dict[str, Any]:
    return dict(StudyRow(study).data)
