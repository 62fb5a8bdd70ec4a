"""Files of past training and of certificates: what other systems know of people.

Rows are brought up to what a file says; the same file again changes nothing, and what happened here
is not changed by a file. A completion becomes an enrolment in a session of its day that stands for
the file. Nobody is told and nothing is awarded: it is past; what people owe is worked out anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.files.kinds import Intake, RowField, Rows
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment
from sqcore.org.queries import local_day
from sqcore.org.rows import (
    NUMBER,
    Faults,
    PieceIntake,
    codes_of,
    day_of_row,
    require_everywhere,
    staff_numbered,
)
from training.certificates.models import Certificate
from training.certificates.rules import until, validity_of
from training.courses.models import Course, CourseVersion, Session
from training.enrolments.models import Attempt, Enrolment
from training.requirements.services import recompute_some

EARLIEST = date(1970, 1, 1)
LONGEST = timedelta(days=366 * 60)
MOST_MINUTES = 100_000
MOST_SEATS = 32_767
FROM_FILE = "file-"
"""How the codes of sessions begin that stand for a file."""
MOST_OF_CODE = 34
"""So much of the code of a course fits into that of a session."""

COURSE = RowField(
    "course", gettext_lazy("Course"), guess=r"course|training|课程|培训", required=True
)
RECORD_FIELDS = (
    NUMBER,
    COURSE,
    RowField(
        "day", gettext_lazy("Day"), "day", r"^day$|date|completed|finished|日期|完成", required=True
    ),
    RowField("minutes", gettext_lazy("Minutes"), "number", r"minutes|duration|时长|分钟"),
    RowField("score", gettext_lazy("Score in per cent"), "number", r"score|grade|成绩|分数"),
    RowField("passed", gettext_lazy("Passed"), "truth", r"passed|result|通过"),
)
CERTIFICATE_FIELDS = (
    NUMBER,
    RowField("certificate", gettext_lazy("Number of the certificate"), guess=r"certificate|证书"),
    RowField("external_key", gettext_lazy("Key in your system"), guess=r"external|^key$|^id$|主键"),
    COURSE,
    RowField(
        "issued_on", gettext_lazy("Issued"), "day", r"issue|granted|from|签发|取得", required=True
    ),
    RowField("expires_on", gettext_lazy("Valid until"), "day", r"expire|until|valid|end|到期|有效"),
)


def courses_with_versions() -> dict[str, tuple[Course, CourseVersion]]:
    """Return the courses that have a version in use, with the newest, by code."""
    found: dict[str, tuple[Course, CourseVersion]] = {}
    versions = CourseVersion.objects.filter(published_at__isnull=False).select_related("course")
    for version in versions.order_by("number"):
        found[version.course.code] = (version.course, version)
    return found


@dataclass
class _TrainingIntake(PieceIntake):
    """What both kinds share: people, courses, and what is owed afterwards."""

    courses: Mapping[str, tuple[Course, CourseVersion]] = field(
        default_factory=courses_with_versions
    )
    touched: set[int] = field(default_factory=set)
    taker: int | None = None
    """Who takes the file in, when that is somebody who works here."""

    def own_faults(self, row: Mapping[str, Any]) -> Faults:
        """Nobody puts their own training on record."""
        if self.taker is not None and self._staff[str(row["number"])].pk == self.taker:
            yield "number", _("is you: another person takes this row in")

    def course_faults(self, row: Mapping[str, Any]) -> Faults:
        if str(row.get("number", "")) not in self._staff:
            yield "number", _("nobody has this staff number")
        if not row.get("course"):
            yield "course", _("is missing")
        elif row["course"] not in self.courses:
            yield (
                "course",
                _("“%(code)s” is no course with a version in use") % {"code": row["course"][:40]},
            )

    def day_faults(self, row: Mapping[str, Any], name: str) -> Faults:
        day = day_of_row(row, name)
        if day is None:
            yield name, _("is missing")
        elif not EARLIEST <= day <= self.today:
            yield name, _("cannot be meant: it is to come, or too long ago")

    def begin(self, rows: Rows) -> None:
        self._staff = staff_numbered(rows)

    def finish(self) -> Mapping[str, int]:
        recompute_some(
            staff_ids=sorted(self.touched), key=f"file:{self.now.isoformat()}", now=self.now
        )
        return self.counts


# ---- Past training -------------------------------------------------------------------------------
@dataclass
class _Known:
    """A result that is there; `is_from_file` when no session here gave it."""

    enrolment: Enrolment
    is_from_file: bool
    score: Decimal | None = None


@dataclass
class _Record:
    """A row that changes something: an enrolment and its score."""

    enrolment: Enrolment
    score: Decimal | None
    is_new: bool


RESULTS = (Enrolment.State.PASSED, Enrolment.State.FAILED, Enrolment.State.ABSENT)


@dataclass
class RecordIntake(_TrainingIntake):
    sessions: dict[tuple[int, date], Session] = field(default_factory=dict)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        ids = [each.pk for each in self._staff.values()]
        days = {row["day"] for row in rows if row.get("day")}
        self._known = _results_of(ids, days)
        self._places = list(
            Assignment.objects.filter(staff__in=ids)
            .order_by("-valid_from", "pk")
            .values_list("staff_id", "unit_id", "valid_from", "valid_to")
        )
        self._units: dict[int, list[tuple[int, date, date | None]]] = {}
        for staff_id, unit_id, first, end in self._places:
            self._units.setdefault(staff_id, []).append((unit_id, first, end))
        self._plans: list[_Record] = []

    def faults(self, row: Mapping[str, Any]) -> Faults:
        bad = [*self.course_faults(row), *self.day_faults(row, "day"), *_number_faults(row)]
        yield from bad
        if bad:
            return
        key = self._key(row)
        yield from self.twice(key)
        known = self._known.get(key)
        if known is None or (known.is_from_file and self._changes(row, known)):
            yield from self.own_faults(row)
        if known and not known.is_from_file and self._differs(row, known):
            yield "passed", _("a session here has another result; correct it there")

    def _key(self, row: Mapping[str, Any]) -> tuple[int, int, date]:
        course, _version = self.courses[row["course"]]
        return self._staff[str(row["number"])].pk, course.pk, date.fromisoformat(row["day"])

    def _state(self, row: Mapping[str, Any]) -> str:
        _course, version = self.courses[row["course"]]
        mark = version.pass_mark
        scored = mark is None or row.get("score") is None or row["score"] >= mark
        return Enrolment.State.PASSED if row.get("passed", scored) else Enrolment.State.FAILED

    def _differs(self, row: Mapping[str, Any], known: _Known) -> bool:
        if "passed" not in row and row.get("score") is None:
            return False
        is_passed = known.enrolment.state == Enrolment.State.PASSED
        return (self._state(row) == Enrolment.State.PASSED) != is_passed

    def _changes(self, row: Mapping[str, Any], known: _Known) -> bool:
        score = None if row.get("score") is None else _two_places(row["score"])
        minutes = row.get("minutes", known.enrolment.minutes)
        same = (known.enrolment.state, known.enrolment.minutes) == (self._state(row), minutes)
        return not same or score not in (None, known.score)

    def plan(self, row: Mapping[str, Any]) -> None:
        key = self._key(row)
        known = self._known.get(key)
        score = None if row.get("score") is None else _two_places(row["score"])
        if known is None:
            enrolment = self._begun(row, key)
            self._plans.append(_Record(enrolment, score, is_new=True))
            return
        enrolment = known.enrolment
        if not self._changes(row, known) or not known.is_from_file:
            self.counts["unchanged"] += 1
            return
        enrolment.state = self._state(row)
        enrolment.minutes = row.get("minutes", enrolment.minutes)
        self._plans.append(_Record(enrolment, score, is_new=False))

    def _begun(self, row: Mapping[str, Any], key: tuple[int, int, date]) -> Enrolment:
        staff_id, _course_id, day = key
        return Enrolment(
            staff_id=staff_id,
            unit_id=self._unit_on(staff_id, day),
            state=self._state(row),
            origin=Enrolment.Origin.IMPORT,
            enrolled_at=self.now,
            concluded_on=day,
            minutes=row.get("minutes", 0),
            session=Session(version=self.courses[row["course"]][1], starts_on=day),
        )

    def _unit_on(self, staff_id: int, day: date) -> int | None:
        for unit_id, first, last in self._units.get(staff_id, ()):
            if first <= day and (last is None or last > day):
                return unit_id
        return None

    def store(self, rows: Rows) -> None:
        plans, self._plans = self._plans, []
        new = [each.enrolment for each in plans if each.is_new]
        self._give_sessions(new)
        Enrolment.objects.bulk_create(new)
        changed = [each.enrolment for each in plans if not each.is_new]
        Enrolment.objects.bulk_update(changed, ["state", "minutes"], batch_size=200)
        self._store_scores(plans)
        self.touched.update(each.enrolment.staff_id for each in plans)
        self.counts["new"] += len(new)
        self.counts["changed"] += len(changed)

    def _store_scores(self, plans: Iterable[_Record]) -> None:
        Attempt.objects.bulk_create(
            [
                Attempt(
                    enrolment=each.enrolment,
                    score=each.score,
                    passed=each.enrolment.state == Enrolment.State.PASSED,
                    on=_day_of(each.enrolment),
                    recorded_at=self.now,
                )
                for each in plans
                if each.score is not None
            ],
            update_conflicts=True,
            unique_fields=["enrolment", "kind", "number"],
            update_fields=["score", "passed"],
        )

    def _give_sessions(self, new: Sequence[Enrolment]) -> None:
        """Put each new enrolment into the session of its course and day, made where there is
        none."""
        wanted: dict[str, Session] = {}
        for each in new:
            version, day = each.session.version, each.session.starts_on
            if (version.course_id, day) not in self.sessions:
                code = session_code(version.course.code, day)
                wanted[code] = self.sessions[version.course_id, day] = self._session(
                    code, version, day
                )
        there = {each.code: each for each in Session.objects.filter(code__in=list(wanted))}
        Session.objects.bulk_create(wanted[code] for code in wanted if code not in there)
        for code, session in wanted.items():
            if code in there:
                self.sessions[session.version.course_id, session.starts_on] = there[code]
        for each in new:
            key = (each.session.version.course_id, each.session.starts_on)
            each.session = self.sessions[key]

    def _session(self, code: str, version: CourseVersion, day: date) -> Session:
        return Session(
            code=code,
            version=version,
            mode=version.course.mode,
            capacity=1,
            state=Session.State.HELD,
            actual_cost=0,
            starts_on=day,
            ends_on=day,
            created_at=self.now,
            closed_at=self.now,
        )

    def finish(self) -> Mapping[str, int]:
        ids = [session.pk for session in self.sessions.values()]
        for first in range(0, len(ids), 500):
            _set_seats(ids[first : first + 500])
        return super().finish()


def _set_seats(session_ids: Sequence[int]) -> None:
    """A session that stands for a file has as many seats as people."""
    taken = (
        Enrolment.objects.filter(session=OuterRef("pk"))
        .order_by()
        .values("session")
        .annotate(n=Count("pk"))
        .values("n")
    )
    Session.objects.filter(pk__in=session_ids).update(capacity=Subquery(taken))


def _day_of(enrolment: Enrolment) -> date:
    """The day of a completion, which every row of a file names."""
    day = enrolment.concluded_on
    if day is None:
        raise ValueError("a completion without its day")
    return day


def _results_of(
    staff_ids: Sequence[int], days: Iterable[str]
) -> dict[tuple[int, int, date], _Known]:
    """Return what is known of these people on these days, by person, course and day; a session held
    here counts before a file."""
    found = Enrolment.objects.filter(
        staff__in=staff_ids, state__in=RESULTS, concluded_on__in=sorted(days)
    )
    known: dict[tuple[int, int, date], _Known] = {}
    for pk, staff_id, course_id, day, state, minutes, code in found.order_by("pk").values_list(
        "pk", "staff_id", "session__version__course_id", "concluded_on", "state", "minutes",
        "session__code",
    ):  # fmt: skip
        if day is None:
            continue
        key = (staff_id, course_id, day)
        if key not in known or known[key].is_from_file:
            enrolment = Enrolment(
                pk=pk, staff_id=staff_id, state=state, minutes=minutes, concluded_on=day
            )
            known[key] = _Known(enrolment, code.startswith(FROM_FILE))
    _add_scores(known.values())
    return known


def _add_scores(known: Iterable[_Known]) -> None:
    rows = {each.enrolment.pk: each for each in known if each.is_from_file}
    scores = Attempt.objects.filter(enrolment__in=list(rows), kind=Attempt.Kind.TEST)
    for enrolment_id, score in scores.order_by("number").values_list("enrolment_id", "score"):
        rows[enrolment_id].score = score


def session_code(course_code: str, day: date) -> str:
    """Return the code of the session that stands for a file.

    >>> session_code("fire-safety", date(2026, 3, 2))
    'file-fire-safety-2026-03-02'
    """
    named = course_code
    if len(named) > MOST_OF_CODE:
        # Two long codes may begin alike.
        named = f"{named[:25]}-{blake2b(named.encode(), digest_size=4).hexdigest()}"
    return f"{FROM_FILE}{named}-{day.isoformat()}"


def _number_faults(row: Mapping[str, Any]) -> Faults:
    minutes, score = row.get("minutes", 0), row.get("score", 0)
    if not isinstance(minutes, int) or not 0 <= minutes <= MOST_MINUTES:
        yield "minutes", _("must be a whole number from 0 to %(most)d") % {"most": MOST_MINUTES}
    if not 0 <= score <= 100:
        yield "score", _("must be from 0 to 100 per cent")


def _two_places(score: float) -> Decimal:
    return Decimal(str(score)).quantize(Decimal("0.01"))


# ---- Certificates --------------------------------------------------------------------------------
def days_of_replacement() -> dict[int, list[date]]:
    """Return the days on which a version took the place of all older ones, by course."""
    found: dict[int, list[date]] = {}
    versions = CourseVersion.objects.filter(published_at__isnull=False, replaces_older=True)
    for course_id, at in versions.order_by("id").values_list("course_id", "published_at"):
        if at is not None:
            found.setdefault(course_id, []).append(local_day(at))
    return found


@dataclass
class CertificateIntake(_TrainingIntake):
    replaced: Mapping[int, Sequence[date]] = field(default_factory=days_of_replacement)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        numbers = {str(row.get("certificate") or row.get("external_key", "")) for row in rows}
        keys = {str(row["external_key"]) for row in rows if row.get("external_key")}
        found = Certificate.objects.filter(number__in=numbers)
        self._by_number = {each.number: each for each in found}
        held = Certificate.objects.filter(external_key__in=keys)
        self._by_key = {str(each.external_key): each for each in held}
        self._new: list[Certificate] = []
        self._changed: list[Certificate] = []

    def faults(self, row: Mapping[str, Any]) -> Faults:
        bad = [*self._name_faults(row), *self.course_faults(row), *self._time_faults(row)]
        yield from bad
        if bad:
            return
        yield from self.twice(("number", _name(row)), "certificate")
        if row.get("external_key"):
            yield from self.twice(("key", str(row["external_key"])), "external_key")
        yield from self._clashes(row)

    def _name_faults(self, row: Mapping[str, Any]) -> Faults:
        if not _name(row):
            yield "certificate", _("is missing: give its number, or your key")
        elif len(_name(row)) > 40:
            yield "certificate", _("has more than %(most)d characters") % {"most": 40}
        if len(str(row.get("external_key", ""))) > 80:
            yield "external_key", _("has more than %(most)d characters") % {"most": 80}

    def _time_faults(self, row: Mapping[str, Any]) -> Faults:
        yield from self.day_faults(row, "issued_on")
        issued, expires = day_of_row(row, "issued_on"), day_of_row(row, "expires_on")
        if issued and expires and not issued < expires <= issued + LONGEST:
            yield "expires_on", _("is not after the day of issue, or too far from it")

    def _there(self, row: Mapping[str, Any]) -> Certificate | None:
        return self._by_number.get(_name(row)) or self._by_key.get(str(row.get("external_key", "")))

    def _clashes(self, row: Mapping[str, Any]) -> Faults:
        there = self._there(row)
        if there is None or not self._is_same(row, there):
            yield from self.own_faults(row)
        if there is None:
            return
        by_key = self._by_key.get(str(row.get("external_key", "")))
        staff, (course, _version) = self._staff[str(row["number"])], self.courses[row["course"]]
        if (there.staff_id, there.course_id) != (staff.pk, course.pk) or (
            by_key is not None and by_key.pk != there.pk
        ):
            yield "certificate", _("belongs to another person or course, or to another key")
        elif not self._is_same(row, there) and (there.revoked_at or not _is_outside(there)):
            yield (
                "certificate",
                _("was issued here, or revoked; a file does not change it"),
            )

    def _is_same(self, row: Mapping[str, Any], there: Certificate) -> bool:
        issued, expires = day_of_row(row, "issued_on"), day_of_row(row, "expires_on")
        if issued is None or there.issued_on != issued:
            return False
        return expires in (None, there.expires_on) or self._ends(row, issued) == there.expires_on

    def _ends(self, row: Mapping[str, Any], issued: date) -> date | None:
        return self._validity(row, issued)[1]

    def _validity(self, row: Mapping[str, Any], issued: date) -> tuple[date | None, date | None]:
        course, version = self.courses[row["course"]]
        later = [day for day in self.replaced.get(course.pk, ()) if day > issued]
        return _validity(version, issued, day_of_row(row, "expires_on"), min(later, default=None))

    def plan(self, row: Mapping[str, Any]) -> None:
        there = self._there(row)
        if there is not None and self._is_same(row, there):
            self.counts["unchanged"] += 1
            return
        course, version = self.courses[row["course"]]
        issued_on = date.fromisoformat(row["issued_on"])
        certificate = there or Certificate(
            number=_name(row),
            external_key=str(row["external_key"]) if row.get("external_key") else None,
            staff=self._staff[str(row["number"])],
            course=course,
            version=version,
            issued_at=self.now,
        )
        certificate.issued_on = issued_on
        certificate.due_on, certificate.expires_on = self._validity(row, issued_on)
        (self._new if there is None else self._changed).append(certificate)

    def store(self, rows: Rows) -> None:
        Certificate.objects.bulk_create(self._new)
        Certificate.objects.bulk_update(
            self._changed, ["issued_on", "due_on", "expires_on"], batch_size=200
        )
        self.counts["new"] += len(self._new)
        self.counts["changed"] += len(self._changed)
        self.touched.update(each.staff_id for each in (*self._new, *self._changed))


def _name(row: Mapping[str, Any]) -> str:
    """The number of a certificate: its own, or the key of the system that it comes from."""
    return str(row.get("certificate") or row.get("external_key") or "").strip()


def _is_outside(certificate: Certificate) -> bool:
    """True for one that came from a file or another system."""
    return certificate.enrolment_id is None and certificate.external_id is None


def _validity(
    version: CourseVersion, issued_on: date, expires_on: date | None, replaced_on: date | None
) -> tuple[date | None, date | None]:
    """Return when it is due and ends: what the file says, else what the version says; never beyond
    the day on which a later version took the place of older ones."""
    holds = validity_of(version, issued_on)
    if expires_on is not None:
        holds = until(expires_on, issued_on=issued_on, due_days=version.due_days)
    if replaced_on is not None:
        ends = min(holds.expires_on or replaced_on, replaced_on)
        holds = until(ends, issued_on=issued_on, due_days=version.due_days)
    return holds.due_on, holds.expires_on


# ---- The kinds -----------------------------------------------------------------------------------
class _TrainingRows:
    permission = Permission.MANAGE_TRAINING

    def codes(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return {"course": codes_of(Course.objects.values_list("code", "name"))}


class TrainingRecordRows(_TrainingRows):
    """One row a completion: who, which course, when."""

    key = "training-records"
    fields: Sequence[RowField] = RECORD_FIELDS

    @property
    def title(self) -> str:
        return _("Files of past training")

    def open(self, *, by: Principal, now: datetime) -> Intake:
        require_everywhere(by, self.permission)
        return RecordIntake(now, taker=by.staff_id)


class CertificateRows(_TrainingRows):
    """One row a certificate, by its number or the key of another system."""

    key = "certificates"
    fields: Sequence[RowField] = CERTIFICATE_FIELDS

    @property
    def title(self) -> str:
        return _("Files of certificates")

    def open(self, *, by: Principal, now: datetime) -> Intake:
        require_everywhere(by, self.permission)
        return CertificateIntake(now, taker=by.staff_id)
