"""What people write on charts: at their units, once a reference, withdrawn and never deleted."""

from datetime import UTC, date, datetime

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotFound, NotPermitted
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal
from sqcore.monitoring.models import Annotation
from sqcore.monitoring.queries import annotations_of
from sqcore.monitoring.services import annotate, withdraw_annotation
from sqcore.org.models import Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import give_role, make_unit, make_user
from sqcore.tests.monitoring.series import make_series, quiet

pytestmark = pytest.mark.django_db

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
MAY, JUNE = date(2024, 5, 1), date(2024, 6, 1)


def somebody(username: str, role: Role, unit: Unit | None = None) -> Principal:
    user = make_user(username)
    give_role(user, role, unit)
    return principal_for(user, on=date(2024, 6, 3))


def write(by: Principal, unit: Unit | None, **over: object) -> Annotation:
    fields: dict[str, object] = {
        "kind": Annotation.Kind.EVENT,
        "unit": unit,
        "code": "",
        "starts_on": MAY,
        "ends_on": JUNE,
        "text": "New queue tickets.",
        "by": by,
        "now": NOW,
    }
    return annotate(**{**fields, **over})  # type: ignore[arg-type]  # fields by name


def test_a_manager_writes_on_the_charts_of_the_own_unit() -> None:
    region = make_unit("region")
    branch = make_unit("branch", parent=region)
    mei = somebody("mei", Role.MANAGER, branch)

    made = write(mei, branch, text="  New queue tickets. ")

    assert (made.text, made.created_by, made.created_at) == ("New queue tickets.", mei.user, NOW)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("annotation.written", f"annotation:{made.pk}")
    assert "New queue" not in str(entry.details)


def test_only_who_looks_after_all_units_writes_on_the_charts_of_all() -> None:
    branch = make_unit("branch")
    mei, quality = somebody("mei", Role.MANAGER, branch), somebody("quality", Role.ANALYST)

    with pytest.raises(NotPermitted):
        write(mei, None)
    assert not Annotation.objects.exists()

    assert write(quality, None).unit is None


def test_what_stands_on_a_chart_comes_from_the_unit_those_above_it_and_everywhere() -> None:
    region = make_unit("region")
    branch, sister = make_unit("branch", parent=region), make_unit("sister", parent=region)
    bank = make_series()
    bank.put(branch, quiet(3))
    quality, mei = somebody("quality", Role.ANALYST), somebody("mei", Role.MANAGER, branch)
    everywhere, above = write(quality, None), write(quality, region, text="Above")
    own = write(mei, branch, code="waiting", text="Own")
    write(quality, sister, text="Sister")
    write(quality, branch, code="composite", text="Another code")
    gone = write(quality, branch, text="Gone")
    withdraw_annotation(annotation_id=gone.pk, by=quality, now=NOW)

    assert annotations_of(quality, bank.key(branch)) == [everywhere, above, own]
    # The manager of a branch does not see what is written at the region.
    assert annotations_of(mei, bank.key(branch)) == [everywhere, own]


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"kind": "joke"}, "an event, a change or an exclusion"),
        ({"text": " "}, "Say what happened"),
        ({"text": "x" * 301}, "at most 300"),
        ({"ends_on": MAY}, "ends after it starts"),
        ({"code": "nonsense"}, "no indicator “nonsense”"),
    ],
)
def test_what_says_nothing_is_refused(over: dict[str, object], said: str) -> None:
    quality = somebody("quality", Role.ANALYST)

    with pytest.raises(InvalidInput, match=said):
        write(quality, None, **over)

    assert not Annotation.objects.exists()
    assert not AuditEntry.objects.exists()


def test_with_a_reference_it_is_written_once() -> None:
    branch, quality = make_unit("branch"), somebody("quality", Role.ANALYST)
    made = write(quality, branch, reference="ticket:12")

    assert write(quality, branch, reference="ticket:12") == made
    assert write(quality, None, reference="ticket:12") != made
    assert write(quality, None, reference="ticket:12").pk != made.pk
    assert Annotation.objects.count() == 2
    assert AuditEntry.objects.count() == 2

    with pytest.raises(Conflict, match="made by a ticket"):
        withdraw_annotation(annotation_id=made.pk, by=quality, now=NOW)
    made.refresh_from_db()
    assert made.withdrawn_at is None


def test_only_quality_takes_periods_out() -> None:
    branch = make_unit("branch")
    mei = somebody("mei", Role.MANAGER, branch)
    ana = somebody("ana", Role.ANALYST)

    with pytest.raises(NotPermitted):
        write(mei, branch, kind=Annotation.Kind.EXCLUSION)
    assert not Annotation.objects.exists()
    made = write(ana, branch, kind=Annotation.Kind.EXCLUSION)
    with pytest.raises(NotPermitted):
        withdraw_annotation(annotation_id=made.pk, by=mei, now=NOW)
    made.refresh_from_db()
    assert made.withdrawn_at is None


def test_withdrawing_keeps_the_row_and_happens_once() -> None:
    branch = make_unit("branch")
    mei = somebody("mei", Role.MANAGER, branch)
    made = write(mei, branch)

    withdraw_annotation(annotation_id=made.pk, by=mei, now=NOW)

    made.refresh_from_db()
    assert (made.withdrawn_by, made.withdrawn_at) == (mei.user, NOW)
    assert list(Annotation.objects.in_force()) == []
    with pytest.raises(Conflict):
        withdraw_annotation(annotation_id=made.pk, by=mei, now=NOW)
    assert AuditEntry.objects.filter(action="annotation.withdrawn").count() == 1


def test_nobody_writes_or_withdraws_elsewhere() -> None:
    branch, south = make_unit("branch"), make_unit("south")
    mei, chen = somebody("mei", Role.MANAGER, branch), somebody("chen", Role.MANAGER, south)
    li = somebody("li", Role.STAFF, branch)
    made = write(mei, branch)
    everywhere = write(somebody("quality", Role.ANALYST), None)
    refused: list[tuple[Principal, int, type[DomainError]]] = [
        (chen, made.pk, NotFound),
        (li, made.pk, NotPermitted),
        (mei, everywhere.pk, NotPermitted),
        (mei, 999_999, NotFound),
    ]

    with pytest.raises(NotFound):
        write(chen, branch)
    with pytest.raises(NotPermitted):
        write(li, branch)
    for by, pk, refusal in refused:
        with pytest.raises(refusal):
            withdraw_annotation(annotation_id=pk, by=by, now=NOW)

    assert Annotation.objects.in_force().count() == 2
