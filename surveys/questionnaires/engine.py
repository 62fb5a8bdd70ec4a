"""Answers the port `sqcore.questionnaires`: a questionnaire for a subject is an anonymous campaign,
and each person is invited to one answer by a link that is computed, not stored."""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.text import slugify

from sqcore.base.errors import NotFound
from sqcore.identity.principals import system_principal
from sqcore.org.models import Unit
from sqcore.org.queries import local_day, organisation
from sqcore.questionnaires.port import QuestionFigure, QuestionnaireResults
from sqcore.stats.estimates import interval_of
from surveys.campaigns.models import Campaign
from surveys.campaigns.services import create_campaign, open_campaign
from surveys.instruments.codebook import NOT_APPLICABLE, codebook_of
from surveys.instruments.models import Item
from surveys.instruments.queries import usable_versions
from surveys.instruments.services import install_ready_instruments
from surveys.invitations.links import spent_digest, token_of
from surveys.invitations.models import Invitation
from surveys.invitations.queries import closed_on, is_spent
from surveys.responses.models import Response


@dataclass(frozen=True)
class SurveyQuestionnaires:
    """The campaign of a subject is found by its code, which the subject makes."""

    @transaction.atomic
    def open(
        self,
        *,
        subject: str,
        template: str,
        name: Mapping[str, str],
        unit: Unit,
        persons: Sequence[str],
        opens_on: date,
        closes_on: date,
        now: datetime,
    ) -> None:
        """See the port."""
        campaign = _campaign_of(subject)
        if campaign is None:
            campaign = _new_campaign(subject, template, name, opens_on, closes_on, now)
        keys = [_key(subject, person) for person in persons]
        there = set(
            campaign.invitations.filter(encounter_key__in=keys).values_list(
                "encounter_key", flat=True
            )
        )
        # In the order of their keys, which is nobody's order of arrival.
        Invitation.objects.bulk_create(
            Invitation(
                campaign=campaign,
                encounter_key=key,
                unit=unit,
                encounter_on=opens_on,
                invited_on=opens_on,
                valid_until=closes_on,
                handed_out_on=opens_on,
            )
            for key in sorted(set(keys) - there)
        )

    def link_of(self, *, subject: str, person: str, now: datetime) -> str | None:
        """See the port."""
        found = Invitation.objects.select_related("campaign").filter(
            campaign__code=_code(subject), encounter_key=_key(subject, person)
        )
        invitation = found.first()
        if invitation is None or closed_on(invitation, local_day(now)):
            return None
        if is_spent(spent_digest(invitation.campaign_id, invitation.encounter_key)):
            return None
        return reverse("surveys:invitations-answer", args=[token_of(invitation)])

    def results_of(self, *, subject: str, now: datetime) -> QuestionnaireResults | None:
        """See the port."""
        campaign = _campaign_of(subject)
        if campaign is None:
            return None
        asked = campaign.invitations.filter(withdrawn_at=None).count()
        if campaign.closes_on is None or local_day(now) < campaign.closes_on:
            return QuestionnaireResults(asked=asked, answered=None, figures=(), is_open=True)
        rows = Response.objects.counted().filter(campaign=campaign)
        packed = [bytes(row) for row in rows.order_by("id").values_list("packed", flat=True)]
        if len(packed) < organisation().smallest_group:
            return QuestionnaireResults(asked=asked, answered=None, figures=())
        return QuestionnaireResults(asked, len(packed), tuple(_figures(campaign, packed)))


def _code(subject: str) -> str:
    return slugify(subject.replace(":", "-"))[:60]


def _key(subject: str, person: str) -> str:
    """Return a key that names the person to who has the secret of the installation alone."""
    said = f"sq.questionnaire/{subject}/{person}".encode()
    return f"{_code(subject)}/" + hmac.digest(settings.SECRET_KEY.encode(), said, sha256).hex()[:18]


def _campaign_of(subject: str) -> Campaign | None:
    found = Campaign.objects.select_related("version__instrument")
    return found.filter(code=_code(subject)).first()


def _new_campaign(
    subject: str,
    template: str,
    name: Mapping[str, str],
    opens_on: date,
    closes_on: date,
    now: datetime,
) -> Campaign:
    install_ready_instruments(now=now)
    version = usable_versions().filter(instrument__code=template).first()
    if version is None:
        raise NotFound(f"There is no questionnaire “{template}”.")
    asker = system_principal("questionnaires")
    campaign = create_campaign(
        code=_code(subject), name=name, version=version, mode=Campaign.Mode.ANONYMOUS,
        opens_on=opens_on, closes_on=closes_on, by=asker, now=now,
    )  # fmt: skip
    open_campaign(campaign=campaign, by=asker, now=now)
    return campaign


def _figures(campaign: Campaign, packed: Sequence[bytes]) -> Iterator[QuestionFigure]:
    """Yield the questions with their means; one that fewer than the smallest group answered has
    none."""
    codebook = codebook_of(campaign.version)
    answers = codebook.decode(packed)
    least = organisation().smallest_group
    for column, item in enumerate(codebook.scored):
        given = answers[:, column]
        yield _figure(item, given[given < NOT_APPLICABLE].astype(np.float64), least=least)


def _figure(item: Item, given: npt.NDArray[np.float64], *, least: int) -> QuestionFigure:
    n = len(given)
    if n < least:
        return QuestionFigure(item.code, item.text, item.low, item.high, 0, None, None, None)
    mean, se = float(given.mean()), float(given.std(ddof=1)) / n**0.5
    estimate = interval_of([mean], [se], [n], [float(n)], bounds=(item.low, item.high))
    return QuestionFigure(
        item.code, item.text, item.low, item.high, n, mean,
        float(estimate.low[0]), float(estimate.high[0]),
    )  # fmt: skip
