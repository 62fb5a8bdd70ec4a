"""Keeping the frame of competencies, what posts need of them, and evidence of what people can do.

raises, all of them: NotPermitted, InvalidInput naming each field, Conflict
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.events import CompetencyShown
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Post, Staff
from sqcore.org.queries import local_day
from training.competencies.models import Competency, Evidence, Level, RequiredLevel
from training.competencies.queries import may_for

SEED: Sequence[Mapping[str, object]] = (
    {
        "code": "service-awareness",
        "name": {"en": "Service awareness", "zh-hans": "服务意识"},
        "description": {
            "en": "Notices what a customer needs, also unsaid, and makes it their own concern.",
            "zh-hans": "主动察觉客户的需要,包括没有说出口的需要,并当作自己的事来办。",
        },
        # Attention to the single customer is what the questions on empathy ask; the mean of all
        # questions about the person stands for service as a whole.
        "measures": ["servqual/empathy", "servqual/overall"],
    },
    {
        "code": "communication",
        "name": {"en": "Communication", "zh-hans": "沟通能力"},
        "description": {
            "en": "Listens, says clearly what happens next and when, in words the customer knows.",
            "zh-hans": "认真倾听,用客户听得懂的话讲清楚接下来做什么、何时完成。",
        },
        # The one question on responsiveness that is about a person, not the queue, asks whether
        # people are willing to help: customers learn it from what is said to them.
        "measures": ["servqual/responsiveness"],
    },
    {
        "code": "professional-knowledge",
        "name": {"en": "Professional knowledge", "zh-hans": "专业知识"},
        "description": {
            "en": "Knows products, rules and processes, and gives answers that are right.",
            "zh-hans": "熟悉产品、制度和流程,答复准确。",
        },
        # Assurance asks whether customers can trust what the person knows and does.
        "measures": ["servqual/assurance"],
    },
    {
        "code": "emotion",
        "name": {"en": "Emotion management", "zh-hans": "情绪管理"},
        "description": {
            "en": "Stays calm and polite under pressure and with upset customers; recovers after.",
            "zh-hans": "在压力下、面对情绪激动的客户时保持冷静与礼貌,并能自我调整。",
        },
        "measures": [],
    },
    {
        "code": "teamwork",
        "name": {"en": "Teamwork", "zh-hans": "团队协作"},
        "description": {
            "en": "Hands over completely, helps where the queue is, shares what they learned.",
            "zh-hans": "交接完整,主动支援繁忙岗位,分享经验。",
        },
        "measures": [],
    },
    {
        "code": "learning",
        "name": {"en": "Learning", "zh-hans": "学习能力"},
        "description": {
            "en": "Seeks feedback, learns new rules and tools in time, and uses them at work.",
            "zh-hans": "主动寻求反馈,及时学会新制度和新工具并用于工作。",
        },
        "measures": [],
    },
)
"""The competencies that a new installation begins with."""


# ---- The frame -----------------------------------------------------------------------------------
@transaction.atomic
def install_seed_competencies(*, now: datetime, by: Principal) -> int:
    """Add those of the six first competencies that are missing; return how many."""
    _require_frame(by)
    there = set(Competency.objects.values_list("code", flat=True))
    missing = [
        (position, given) for position, given in enumerate(SEED, 1) if given["code"] not in there
    ]
    for position, given in missing:
        Competency.objects.create(position=position, **given)
    if missing:
        codes = [str(given["code"]) for _position, given in missing]
        record(
            action="competency.seeded", subject="competency:*", by=by, now=now,
            details={"codes": codes},
        )  # fmt: skip
    return len(missing)


@transaction.atomic
def save_competency(
    *,
    code: str,
    name: Mapping[str, str],
    description: Mapping[str, str] | None = None,
    measures: Sequence[str] = (),
    position: int = 0,
    is_active: bool = True,
    by: Principal,
    now: datetime,
) -> Competency:
    """Add the competency of this code, or change it. It is of the whole organisation."""
    _require_frame(by)
    found = Competency.objects.select_for_update(of=("self",)).filter(code=code).first()
    competency = found or Competency(code=code)
    competency.name, competency.description = dict(name), dict(description or {})
    competency.measures = [each.strip() for each in measures if each.strip()]
    competency.position, competency.is_active = position, is_active
    _cleaned(competency)
    competency.save()
    record(
        action="competency.changed" if found else "competency.added",
        subject=f"competency:{competency.pk}",
        by=by,
        now=now,
        details={"code": code, "measures": competency.measures, "is_active": is_active},
    )
    return competency


@transaction.atomic
def require_level(
    *,
    post: Post,
    competency: Competency,
    level: int,
    valid_from: date,
    by: Principal,
    now: datetime,
) -> RequiredLevel | None:
    """Say which level a post needs from this day on; level 0: none any more. What held before ends
    on this day. None when nothing is needed."""
    _require_frame(by)
    if level not in Level.values:
        raise _wrong("level", _("There is no such level."))
    # The post stands for the row that is not there yet: two at once wait for each other.
    Post.objects.select_for_update(of=("self",)).get(pk=post.pk)
    open_row = RequiredLevel.objects.filter(
        post=post, competency=competency, valid_to__isnull=True
    ).first()
    if open_row is not None and open_row.level == level and open_row.valid_from <= valid_from:
        return open_row
    if open_row is not None:
        _end_required(open_row, valid_from)
    found = None
    if level:
        _refuse_overlap(post, competency, valid_from)
        found = RequiredLevel.objects.create(
            post=post, competency=competency, level=level, valid_from=valid_from
        )
    record(
        action="required_level.set",
        subject=f"post:{post.pk}",
        by=by,
        now=now,
        details={
            "competency": competency.code,
            "level": level,
            "valid_from": valid_from.isoformat(),
        },
    )
    return found


def _end_required(row: RequiredLevel, on: date) -> None:
    if row.valid_from > on:
        raise _wrong("valid_from", _("A later level is set for this post already."))
    if row.valid_from == on:
        row.delete()
        return
    row.valid_to = on
    row.save(update_fields=["valid_to"])


def _refuse_overlap(post: Post, competency: Competency, valid_from: date) -> None:
    rows = RequiredLevel.objects.filter(post=post, competency=competency, valid_to__gt=valid_from)
    if rows.exists():
        raise _wrong("valid_from", _("On this day another level was needed already."))


# ---- Evidence ------------------------------------------------------------------------------------
@transaction.atomic
def record_evidence(
    *,
    staff: Staff,
    competency: Competency,
    level: int,
    kind: str,
    on: date,
    text: str = "",
    expires_on: date | None = None,
    reference: str | None = None,
    by: Principal,
    now: datetime,
) -> Evidence:
    """Keep that somebody was seen to have a level on a day; the same `reference` again changes
    nothing and returns what is there.

    People assess themselves; who plans training assesses others, never themselves. A course or
    certificate speaks with its reference: the room that holds it has checked who may.
    """
    if reference and (there := Evidence.objects.filter(reference=reference).first()):
        return _the_same(there, staff, competency)
    _may_record(staff, kind, reference, by=by, today=local_day(now))
    evidence = Evidence(
        staff=staff, competency=competency, level=level, kind=kind, on=on,
        expires_on=expires_on, text=text.strip(), reference=reference or None,
        recorded_by=by.user, recorded_at=now,
    )  # fmt: skip
    _checked(evidence, today=local_day(now))
    try:
        with transaction.atomic():
            evidence.save(force_insert=True)
    except IntegrityError:
        # Another one kept the same reference at the same moment.
        return _the_same(Evidence.objects.get(reference=reference), staff, competency)
    record(
        action="evidence.recorded",
        subject=f"staff:{staff.pk}",
        by=by,
        now=now,
        details={
            "evidence": evidence.pk,
            "competency": competency.code,
            "level": level,
            "kind": str(kind),
        },
    )
    if kind != Evidence.Kind.SELF:
        publish(
            CompetencyShown(
                evidence_id=evidence.pk,
                staff_id=staff.pk,
                competency=competency.code,
                level=level,
                on=on.isoformat(),
            ),
            now=now,
        )
    return evidence


@transaction.atomic
def withdraw_evidence(*, evidence_id: int, why: str, by: Principal, now: datetime) -> Evidence:
    """Say that evidence was wrong, and why; it stays to be seen and counts no longer.

    Of what one said of oneself by oneself; of all else by who plans training for the person, never
    by the person. raises: NotFound too
    """
    evidence = (
        Evidence.objects.select_for_update(of=("self",))
        .visible_to(by, on=local_day(now))
        .filter(pk=evidence_id)
        .first()
    )
    if evidence is None:
        raise NotFound(_("There is no such evidence."))
    kind = Evidence.Kind.SELF if evidence.kind == Evidence.Kind.SELF else Evidence.Kind.ASSESSMENT
    _may_record(evidence.staff, kind, None, by=by, today=local_day(now))
    if evidence.withdrawn_at is not None:
        raise Conflict(_("This evidence is withdrawn already."))
    said = why.strip()
    if not said or len(said) > 300:
        raise _wrong("why", _("Say why, in at most %(most)d characters.") % {"most": 300})
    evidence.withdrawn_at, evidence.withdrawn_why = now, said
    evidence.save(update_fields=["withdrawn_at", "withdrawn_why"])
    record(
        action="evidence.withdrawn",
        subject=f"staff:{evidence.staff_id}",
        by=by,
        now=now,
        details={"evidence": evidence.pk},
    )
    return evidence


def _the_same(there: Evidence, staff: Staff, competency: Competency) -> Evidence:
    if (there.staff_id, there.competency_id) != (staff.pk, competency.pk):
        raise Conflict(_("This reference belongs to other evidence."))
    return there


def _may_record(
    staff: Staff, kind: str, reference: str | None, *, by: Principal, today: date
) -> None:
    is_self = by.staff_id == staff.pk
    if kind == Evidence.Kind.SELF:
        if not is_self:
            raise NotPermitted(_("Only people themselves assess themselves."))
        return
    if kind in (Evidence.Kind.COURSE, Evidence.Kind.CERTIFICATE) and reference:
        return
    if is_self:
        raise NotPermitted(_("Nobody assesses themselves for what counts; somebody else does."))
    # Another system that runs training sends what it knows; people plan training for a unit.
    allowed = (Permission.PLAN_TRAINING, Permission.MANAGE_TRAINING)
    if not any(may_for(by, each, staff.pk, on=today) for each in allowed):
        raise NotPermitted(_("You may not assess the skills of this person."))


def _checked(evidence: Evidence, *, today: date) -> None:
    """raises: InvalidInput naming each field that is wrong"""
    given = [
        "level",
        "kind",
        "on",
        "expires_on",
        "text",
        *(["reference"] if evidence.reference else []),
    ]
    problems = _problems(evidence, given)
    if evidence.on > today:
        problems.append(Problem(_("This day is still to come."), field="on"))
    if evidence.on < evidence.staff.joined_on:
        problems.append(Problem(_("The person did not work here on this day."), field="on"))
    if evidence.expires_on is not None and evidence.expires_on <= evidence.on:
        problems.append(Problem(_("It ends before it begins."), field="expires_on"))
    if not evidence.text and evidence.kind == Evidence.Kind.ASSESSMENT:
        problems.append(Problem(_("Write what you saw."), field="text"))
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def _require_frame(by: Principal) -> None:
    """The frame is one for all: who keeps it runs training everywhere."""
    if not by.scope(Permission.MANAGE_TRAINING).everywhere:
        raise NotPermitted(_("Who runs training for the whole organisation does this."))


def _cleaned(competency: Competency) -> None:
    problems = _problems(competency, ("code", "name", "description", "position"))
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def _problems(row: Competency | Evidence, given: Sequence[str]) -> list[Problem]:
    try:
        row.clean_fields(exclude={each.name for each in row._meta.fields} - set(given))
    except ValidationError as error:
        return [
            Problem(reason, field=name)
            for name, reasons in error.message_dict.items()
            for reason in reasons
        ]
    return []


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, problems=[Problem(reason, field=field)])
