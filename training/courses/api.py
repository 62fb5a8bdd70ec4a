"""Courses over REST."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from sqcore.base.api import Keyset, json_response, page_of
from sqcore.base.filters import conditions_of
from sqcore.base.openapi import documented, page_schema
from sqcore.identity.api import ApiView
from sqcore.identity.permissions import Permission
from training.courses.filters import CourseFilter
from training.courses.models import Course
from training.courses.queries import courses_seen_by
from training.courses.serializers import CourseRow, CourseVersionRow

BY_CODE = Keyset(("code",))


class CourseListView(ApiView):
    needs = {"GET": (Permission.VIEW_TRAINING,)}

    @documented(
        operation="courses",
        summary="Courses with the rules of their newest version",
        tag="Training",
        answer=page_schema(CourseRow),
        filters=CourseFilter,
        pages=True,
    )
    def get(self, request: Request) -> HttpResponse:
        asked = conditions_of(CourseFilter, request._request.GET)
        courses = courses_seen_by(self.principal).filter(**asked)
        return json_response(page_of(request._request, courses, BY_CODE, course_row))


def course_row(course: Course) -> dict[str, Any]:
    version = next(iter(course.versions.all()), None)
    return {
        "code": course.code,
        "name": course.name,
        "description": course.description,
        "mode": course.mode,
        "is_active": course.is_active,
        "is_open": course.is_open,
        "needs": [link.needs.code for link in course.prerequisites.all()],
        "teaches": [
            {"competency": taught.competency.code, "level": taught.level}
            for taught in course.teaches.all()
        ],
        "version": dict(CourseVersionRow(version).data) if version else None,
    }
