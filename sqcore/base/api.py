"""What every address of the REST interface shares: problems, JSON, pages, ETags, limits.

The views themselves stand on `sqcore.identity.api.ApiView`, which knows who asks.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.db.models import BooleanField, Expression, F, Func, Model, QuerySet, Value
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from sqcore.base.errors import DomainError, InvalidInput, Problem
from sqcore.base.filters import PAGE_PARAMETERS
from sqcore.base.idempotency import Answer
from sqcore.base.json_input import MAX_BYTES, read_json

M = TypeVar("M", bound=Model)

PROBLEM_JSON = "application/problem+json"
PAGE_SIZE = 50
BULK_BYTES = 8_000_000
MAX_PAGE_SIZE = 200

# ---- Problems (RFC 9457) -------------------------------------------------------------------------


def problem(
    *, status: int, code: str, detail: str = "", errors: Sequence[Problem] = ()
) -> HttpResponse:
    """Return a problem document; `code` names the kind for programs, `detail` is for people."""
    body: dict[str, Any] = {
        "type": f"urn:sqcore:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = [{"row": e.row, "field": e.field, "reason": e.reason} for e in errors]
    return HttpResponse(orjson.dumps(body), status=status, content_type=PROBLEM_JSON)


def problem_of(error: Exception) -> HttpResponse | None:
    """Return the problem document of an anticipated error; None for a bug, which travels up."""
    if isinstance(error, DomainError):
        return problem(
            status=error.status, code=error.code, detail=error.message, errors=error.problems
        )
    if isinstance(error, Http404):
        return not_found()
    if isinstance(error, PermissionDenied):
        return problem(status=403, code="not_permitted", detail=str(error))
    if isinstance(error, SuspiciousOperation):
        return problem(status=400, code="invalid", detail=_("The request cannot be understood."))
    if isinstance(error, ValidationError):
        errors = list(_validation_problems(error))
        return problem(
            status=400, code="invalid", detail=_("Some fields are wrong."), errors=errors
        )
    if isinstance(error, exceptions.APIException):
        return _framework_problem(error)
    return None


def not_found() -> HttpResponse:
    return problem(
        status=404, code="not_found", detail=_("There is no such thing, or you may not know of it.")
    )


def _framework_problem(error: exceptions.APIException) -> HttpResponse:
    """Problems that REST framework raises: log-in, method, media type, limits, fields."""
    if isinstance(error, exceptions.ValidationError):
        errors = list(_field_problems(error.detail))
        return problem(
            status=400, code="invalid", detail=_("Some fields are wrong."), errors=errors
        )
    code = str(getattr(error, "default_code", "refused"))
    response = problem(status=error.status_code, code=code, detail=str(error.detail))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait))
    return response


def _validation_problems(error: ValidationError) -> Iterator[Problem]:
    if not hasattr(error, "error_dict"):
        yield from (Problem(message) for message in error.messages)
        return
    for name, messages in error.message_dict.items():
        field = "" if name == "__all__" else name
        yield from (Problem(message, field=field) for message in messages)


def _field_problems(detail: Any, field: str = "", row: int | None = None) -> Iterator[Problem]:
    """Flatten a serializer's errors; an item of a list of objects is a row, counted from 1."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            where = "" if name == "non_field_errors" else str(name)
            yield from _field_problems(inner, f"{field}.{where}".strip("."), row)
    elif isinstance(detail, list):
        nested = any(isinstance(inner, dict) for inner in detail)
        for number, inner in enumerate(detail, start=1):
            yield from _field_problems(inner, field, number if nested and row is None else row)
    else:
        yield Problem(str(detail), field=field, row=row)


# ---- JSON in and out -----------------------------------------------------------------------------


class StrictJSONParser(BaseParser):
    """Reads a JSON object within the limits of `sqcore.base.json_input`."""

    media_type = "application/json"
    most = MAX_BYTES

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        return read_json(stream.read(self.most + 1), most=self.most)


class BulkJSONParser(StrictJSONParser):
    """The same for lists of many small rows, which machines send."""

    most = BULK_BYTES


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else dumps(data)


def dumps(data: Any) -> bytes:
    """Return JSON; moments end in Z, days are days."""
    return orjson.dumps(
        data,
        default=_plain,
        option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC | orjson.OPT_OMIT_MICROSECONDS,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(type(value).__name__)


def json_response(data: Any, *, status: int = 200, etag: str = "") -> HttpResponse:
    """Return JSON without the framework's rendering; with an ETag also how it may be kept."""
    response = HttpResponse(dumps(data), status=status, content_type="application/json")
    return tagged(response, etag) if etag else response


def remembered_response(answer: Answer) -> HttpResponse:
    """Return what `answer_once` answered; a repeat says that it is one.

    Sorted, since a database may keep the fields of an answer in an order of its own: a repeat gets
    the same bytes.
    """
    response = json_response(dict(sorted(answer.body.items())), status=answer.status)
    if answer.repeated:
        response["Idempotent-Replayed"] = "true"
    return response


class OneForm(BaseContentNegotiation):
    """There is one form of every answer, so that nothing is negotiated and nothing varies."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        sent = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


# ---- Nothing new: 304 ----------------------------------------------------------------------------


def etag_of(*parts: object) -> str:
    """Return a weak ETag that changes when any of these parts does."""
    digest = blake2b(repr(parts).encode(), digest_size=12, key=settings.SECRET_KEY.encode()[:64])
    return f'W/"{digest.hexdigest()}"'


def tagged(response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    # Kept by the client alone, and asked about each time.
    response["Cache-Control"] = "private, no-cache"
    return response


def not_modified(request: HttpRequest, etag: str) -> HttpResponse | None:
    """Return the 304 answer when the client has this version already."""
    held = request.META.get("HTTP_IF_NONE_MATCH")
    if not held:
        return None
    if held.strip() != "*":
        tags = {tag.strip().removeprefix("W/") for tag in held.split(",")}
        if etag.removeprefix("W/") not in tags:
            return None
    return tagged(HttpResponse(status=304), etag)


# ---- Pages: by key, never by number --------------------------------------------------------------


class _After(Func):
    """Rows after this one, compared as a whole: (a, b, id) > (1, 2, 3). An index serves it."""

    output_field = BooleanField()
    conditional = True

    def as_sql(self, compiler: Any, connection: Any, *names: Any, **extra: Any) -> tuple[str, Any]:
        half = len(self.source_expressions) // 2
        sides: list[str] = []
        params: list[Any] = []
        for part in (self.source_expressions[:half], self.source_expressions[half:]):
            compiled = [compiler.compile(expression) for expression in part]
            sides.append(", ".join(sql for sql, _params in compiled))
            params.extend(value for _sql, values in compiled for value in values)
        return f"({sides[0]}) > ({sides[1]})", params


@dataclass(frozen=True)
class Keyset:
    """The order of a list: model fields that end in a unique one. A page goes on after a row."""

    fields: tuple[str, ...]

    def after(self, queryset: QuerySet[M], values: Sequence[Any]) -> QuerySet[M]:
        if len(self.fields) == 1:
            return queryset.filter(**{f"{self.fields[0]}__gt": values[0]})
        model = queryset.model
        typed: list[Expression] = [
            value if isinstance(value, Expression) else Value(value, model._meta.get_field(name))  # type: ignore[arg-type]  # keysets name plain fields
            for name, value in zip(self.fields, values, strict=True)
        ]
        return queryset.filter(_After(*(F(name) for name in self.fields), *typed))


@dataclass(frozen=True)
class PageRequest:
    """Which page of a list is asked for: its size, and the key of the row before it."""

    size: int
    after: tuple[Any, ...] | None


def page_request(request: HttpRequest, keyset: Keyset) -> PageRequest:
    """Return the page that `page_size` and `cursor` ask for.

    raises: InvalidInput for a size outside 1 to 200, or a cursor not made for this list and filter
    """
    size, raw = PAGE_SIZE, request.GET.get("page_size")
    if raw is not None:
        size = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 5 else 0
        if not 1 <= size <= MAX_PAGE_SIZE:
            reason = _("must be a whole number from 1 to %(most)s") % {"most": MAX_PAGE_SIZE}
            raise InvalidInput(
                _("Some parameters cannot be used."), problems=[Problem(reason, field="page_size")]
            )
    cursor = request.GET.get("cursor")
    return PageRequest(size, None if cursor is None else _read_cursor(request, keyset, cursor))


def next_link(request: HttpRequest, keyset: Keyset, key: Sequence[Any]) -> str:
    """Return the address of the page after the row with this key."""
    payload = orjson.dumps(list(key), option=orjson.OPT_PASSTHROUGH_DATETIME, default=_cursor_value)
    sealed = (
        base64.urlsafe_b64encode(_seal(request, keyset, payload) + payload).decode().rstrip("=")
    )
    query = request.GET.copy()
    query["cursor"] = sealed
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _cursor_value(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _read_cursor(request: HttpRequest, keyset: Keyset, cursor: str) -> tuple[Any, ...]:
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    seal, payload = raw[:16], raw[16:]
    if not raw or not hmac.compare_digest(seal, _seal(request, keyset, payload)):
        raise InvalidInput(
            _("Some parameters cannot be used."),
            problems=[Problem(_("belongs to another list or filter; start again"), field="cursor")],
        )
    return tuple(orjson.loads(payload))


def _seal(request: HttpRequest, keyset: Keyset, payload: bytes) -> bytes:
    """Bind a cursor to its list and filter, so that nobody makes one or takes it elsewhere."""
    asked = sorted((k, v) for k, v in request.GET.lists() if k not in PAGE_PARAMETERS)
    about = repr((request.path, keyset.fields, asked)).encode()
    key = blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"sq.cursor").digest()
    return blake2b(about + b"\n" + payload, digest_size=16, key=key).digest()


def page_of(
    request: HttpRequest,
    queryset: QuerySet[M],
    keyset: Keyset,
    row: Callable[[M], Mapping[str, Any]],
) -> dict[str, Any]:
    """Return one page of model instances: `{"results": [...], "next": address or null}`."""
    page = page_request(request, keyset)
    if page.after is not None:
        queryset = keyset.after(queryset, page.after)
    found = list(queryset.order_by(*keyset.fields)[: page.size + 1])
    shown = found[: page.size]
    more = len(found) > page.size
    key = [getattr(shown[-1], name) for name in keyset.fields] if more else []
    return {
        "results": [row(item) for item in shown],
        "next": next_link(request, keyset, key) if more else None,
    }


# ---- Limits --------------------------------------------------------------------------------------


def count_request(kind: str, who: str) -> None:
    """Count a request against the limit a minute of this kind (`settings.API_LIMITS`).

    raises: Throttled with the seconds to wait
    """
    now = time.time()
    minute = int(now // 60)
    key = f"api:{kind}:{who}:{minute}"
    try:
        count = cache.incr(key)
    except ValueError:
        count = 1
        cache.add(key, 1, timeout=90)
    if count > settings.API_LIMITS[kind]:
        raise exceptions.Throttled(wait=int((minute + 1) * 60 - now) + 1)
