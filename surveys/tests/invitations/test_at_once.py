"""Two real connections at the same invitation: one answer counts."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from sqcore.tests.factories import NOW, make_unit
from surveys.campaigns.models import Campaign
from surveys.invitations import services
from surveys.invitations.models import Invitation, SpentLink
from surveys.invitations.services import draw_invitations, submit_invitation
from surveys.responses.models import Response
from surveys.tests.factories import make_campaign
from surveys.tests.invitations.factories import NOON, invite, keys, make_a_plan, served
from surveys.tests.responses.test_at_once import Other, first_let

pytestmark = pytest.mark.django_db(transaction=True)


def send(invitation: Invitation, overall: int, *, key: uuid.UUID | None = None) -> bool:
    return submit_invitation(
        invitation=invitation,
        key=key or uuid.uuid4(),
        promised=invitation.campaign.mode,
        answers={"overall": overall},
        language="en",
        now=NOW,
    )


@pytest.mark.parametrize("mode", [Campaign.Mode.ANONYMOUS, Campaign.Mode.CONFIDENTIAL])
def test_of_two_browsers_at_once_one_counts(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    campaign, unit = make_campaign(mode=mode), make_unit("riverside")
    invitation, *_others = [invite(campaign, key, unit) for key in keys("visit", 5)]
    other = Other(lambda: send(Invitation.objects.get(pk=invitation.pk), 1))
    monkeypatch.setattr(services, "_store", first_let(other, services._store))

    assert send(invitation, 7)
    other.join(timeout=60)

    assert other.outcome == "AlreadyAnswered"
    assert Response.objects.get().answers == {"overall": 7}
    assert SpentLink.objects.count() == 1


def test_the_same_form_twice_at_once_is_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, unit, key = make_campaign(), make_unit("riverside"), uuid.uuid4()
    invitation, *_others = [invite(campaign, one, unit) for one in keys("visit", 5)]
    other = Other(lambda: send(Invitation.objects.get(pk=invitation.pk), 7, key=key))
    monkeypatch.setattr(services, "_store", first_let(other, services._store))

    assert send(invitation, 7, key=key)
    other.join(timeout=60)

    assert other.outcome == "False"
    assert Response.objects.count() == 1


def test_two_drawings_at_once_invite_a_customer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = make_unit("riverside")
    served(unit, ["visit"], customer="0815")
    first = make_campaign()
    calls = make_campaign("calls", version=first.version)
    plans = [make_a_plan(first), make_a_plan(calls)]
    other = Other(lambda: draw_invitations(plan=plans[1], now=NOON).invited)
    inside: Callable[..., Any] = services._invite
    monkeypatch.setattr(services, "_invite", first_let(other, inside))

    drawn = draw_invitations(plan=plans[0], now=NOON)
    other.join(timeout=60)

    assert (drawn.invited, other.outcome) == (1, "0")
    assert Invitation.objects.count() == 1
