"""Sums and answers after histories of any kind: late, weighted, imported, withdrawn."""

from datetime import date, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from sqcore.base.periods import Grain, Period
from sqcore.tests.factories import NOW, make_channel, make_segment, make_unit
from surveys.campaigns.models import Campaign
from surveys.instruments.codebook import codebook_of
from surveys.responses.items import item_answers
from surveys.responses.models import WEIGHT_ONE, Response, Rollup
from surveys.responses.queries import answer_columns
from surveys.responses.services import (
    NewResponse,
    absorb,
    add_responses,
    check_rollups,
    withdraw_import,
)
from surveys.responses.sums import GRAINS
from surveys.tests.factories import make_campaign

pytestmark = pytest.mark.django_db

FIRST = date(2026, 1, 1)
YEAR = Period.parse("2026")


def live_through(seed: int) -> Campaign:
    """Let answers come in some waves about some months; some are withdrawn, some absorbed."""
    chance = np.random.default_rng(seed)
    units = [make_unit("riverside"), make_unit("hill")]
    channels, segments = [None, make_channel("phone").pk], [None, make_segment("private").pk]
    campaign = make_campaign()
    monthly = make_campaign("monthly", version=campaign.version, finest_grain=Grain.MONTH)
    for wave in range(1, 8):
        responses = [
            NewResponse(
                answers={
                    code: "na" if value == 8 else value
                    for code, value in zip(
                        ("e1", "p1", "p2", "overall"),
                        chance.integers(1, 9, 4).tolist(),
                        strict=True,
                    )
                    if value < 8 or code == "p2"
                },
                unit_id=units[chance.integers(2)].pk,
                channel_id=channels[chance.integers(2)],
                segment_id=segments[chance.integers(2)],
                answered_on=FIRST + timedelta(days=int(chance.integers(0, 120))),
                weight=int(chance.choice([WEIGHT_ONE, 700, 2300])),
            )
            for _ in range(int(chance.integers(1, 30)))
        ]
        add_responses(
            campaign=monthly if wave % 3 == 0 else campaign,
            responses=responses,
            origin=Response.Origin.IMPORT,
            now=NOW,
            import_id=wave,
        )
        if chance.random() < 0.7:
            absorb(clock=lambda: NOW, limit=int(chance.integers(5, 60)))
        if chance.random() < 0.4:
            withdraw_import(import_id=int(chance.integers(1, wave + 1)))
    return campaign


@pytest.mark.parametrize("seed", range(6))
class TestAfterAnyHistory:
    def test_the_joined_answers_are_those_of_the_rows(self, seed: int) -> None:
        campaign = live_through(seed)
        book = codebook_of(campaign.version)
        rows = Response.objects.filter(version=campaign.version)

        found = [
            row
            for ids, columns in answer_columns(rows, book)
            for row in zip(
                ids.tolist(),
                columns.unit.tolist(),
                columns.channel.tolist(),
                columns.segment.tolist(),
                columns.month.astype("datetime64[D]").tolist(),
                [GRAINS[at] for at in columns.grain.tolist()],
                columns.weight.tolist(),
                [each.tobytes() for each in columns.packed],
                strict=True,
            )
        ]

        assert sorted(found) == [
            (
                row.pk, row.unit_id, row.channel_id or 0, row.segment_id or 0,
                row.answered_on.replace(day=1), row.finest_grain, row.weight, bytes(row.packed),
            )
            for row in rows.order_by("id")
        ]  # fmt: skip

    def test_the_sums_of_items_are_those_of_the_rows(self, seed: int) -> None:
        campaign = live_through(seed)
        answers = item_answers(campaign.version, YEAR)
        codes = ["p1", "p2", "overall"]

        found = answers.cross_products(answers.values(codes))

        rows = [
            (row.weight / WEIGHT_ONE, [row.answers.get(code) for code in codes])
            for row in Response.objects.counted().filter(version=campaign.version)
        ]
        whole = [(w, given) for w, given in rows if all(isinstance(each, int) for each in given)]
        assert (found.rows, found.left_out) == (len(whole), len(rows) - len(whole))
        products = sum((w * np.outer(given, given) for w, given in whole), np.zeros((3, 3)))
        np.testing.assert_allclose(found.products.sum(axis=0), products, rtol=1e-12)
        assert answers.response.tolist() == sorted(answers.response.tolist())

    def test_the_kept_sums_are_those_of_the_rows(self, seed: int) -> None:
        live_through(seed)
        assert not any(check_rollups(clock=lambda: NOW, rebuild=False).values())

        while absorb(clock=lambda: NOW):
            pass

        assert not any(check_rollups(clock=lambda: NOW, rebuild=False).values())


class TestCheckingSums:
    def test_says_where_they_differ_and_makes_them_again(self) -> None:
        live_through(1)
        while absorb(clock=lambda: NOW):
            pass
        first, second = Rollup.objects.order_by("id")[:2]
        Rollup.objects.filter(pk=first.pk).update(content=second.content)
        said = StringIO()

        with pytest.raises(CommandError, match="--rebuild"):
            call_command("check_sums", stdout=said)
        call_command("check_sums", "--rebuild", stdout=said)
        call_command("check_sums", stdout=said)

        lines = said.getvalue().splitlines()
        assert lines[0] == f"visit 1 differs in {first.place}"
        assert lines[1] == f"{lines[0]}; made again"
        assert lines[2].startswith("The sums of ")
