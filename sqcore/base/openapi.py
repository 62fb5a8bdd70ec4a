"""How addresses are described in the OpenAPI document, so that all say the same things alike."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from django import forms
from django_filters import FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from sqcore.base.api import MAX_PAGE_SIZE, PAGE_SIZE, PROBLEM_JSON

V = TypeVar("V", bound=Callable[..., Any])


class ProblemError(serializers.Serializer[Any]):
    row = serializers.IntegerField(
        allow_null=True, help_text="Counted from 1 in a list that you sent"
    )
    field = serializers.CharField(allow_blank=True)
    reason = serializers.CharField()


class ProblemDocument(serializers.Serializer[Any]):
    """A problem as RFC 9457 has it."""

    type = serializers.CharField(help_text="urn:sqcore:problem:<code>")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="The kind, for programs; it never changes")
    detail = serializers.CharField(allow_blank=True, help_text="For people")
    errors = ProblemError(many=True, required=False)  # type: ignore[assignment]  # a field of this name


PROBLEMS = {
    304: "Nothing changed since the ETag that you sent",
    400: "The request cannot be understood; `errors` names each field",
    401: "No log-in, or a wrong token",
    403: "Your permissions do not reach this",
    404: "There is no such thing, or you may not know of it",
    405: "This address does not do that",
    409: "It clashes with what is there",
    413: "The body is too large",
    415: "Send application/json",
    422: "The Idempotency-Key came before with another body",
    429: "Too many requests; Retry-After says how many seconds to wait",
}

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="8 to 128 visible characters, new for each thing to create. The same key with the "
    "same body gets the same answer and creates nothing again, for at least 24 hours.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of an earlier answer; 304 when nothing changed",
)
PAGING = [
    OpenApiParameter(
        "page_size",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE},
        description=f"Rows a page, {MAX_PAGE_SIZE} at the most",
    ),
    OpenApiParameter(
        "cursor",
        OpenApiTypes.STR,
        description="From `next` of the page before; do not make your own",
    ),
]


def documented(
    *,
    operation: str,
    summary: str,
    tag: str,
    answer: Any,
    about: str = "",
    status: int = 200,
    media: str = "",
    takes: Any = None,
    filters: type[FilterSet] | None = None,
    pages: bool = False,
    problems: Sequence[int] = (),
    parameters: Sequence[OpenApiParameter] = (),
    examples: Sequence[OpenApiExample] = (),
) -> Callable[[V], V]:
    """Describe one method of a view: its answer, its parameters and the problems it can meet.

    media: the media type of the answer where it is not JSON
    """
    usual = [400, 401, 403, 429, *problems]
    responses: dict[Any, Any] = {(status, media) if media else status: answer}
    for code in sorted(usual):
        if code == 304:
            responses[code] = OpenApiResponse(description=PROBLEMS[code])
        else:
            responses[(code, PROBLEM_JSON)] = OpenApiResponse(ProblemDocument, PROBLEMS[code])
    return extend_schema(
        operation_id=operation,
        summary=summary,
        description=about or f"{summary}.",
        tags=[tag],
        request={"application/json": takes} if takes is not None else None,
        responses=responses,
        parameters=[
            *parameters,
            *(parameters_of(filters) if filters else []),
            *(PAGING if pages else []),
        ],
        examples=list(examples),
    )


@cache
def page_schema(row: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Return the page of these rows."""
    return inline_serializer(
        name=f"{row.__name__}Page",
        fields={
            "results": row(many=True),
            "next": serializers.URLField(
                allow_null=True, help_text="The next page; null on the last one"
            ),
        },
    )


def parameters_of(filterset: type[FilterSet]) -> list[OpenApiParameter]:
    """Return the declared filters as parameters; their help is the filter's `help_text`."""
    return [
        OpenApiParameter(name, _schema_of(filter_.field), description=filter_.field.help_text)
        for name, filter_ in filterset.base_filters.items()
    ]


def _schema_of(field: forms.Field) -> dict[str, Any] | OpenApiTypes:
    if isinstance(field, forms.ChoiceField):
        choices: Any = field.choices
        return {"type": "string", "enum": [value for value, _label in choices if value != ""]}
    if isinstance(field, forms.DateField):
        return {"type": "string", "format": "date"}
    if isinstance(field, forms.NullBooleanField | forms.BooleanField):
        return OpenApiTypes.BOOL
    if isinstance(field, forms.IntegerField):
        return {"type": "integer", "minimum": field.min_value, "maximum": field.max_value}
    return {"type": "string", "maxLength": getattr(field, "max_length", None) or 200}
