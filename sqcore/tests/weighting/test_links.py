"""Experts without an account: one expert, one link, no log-in, no script."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import SystemVersion
from sqcore.tests.factories import NOW, make_principal, make_unit
from sqcore.tests.pages import faults_of
from sqcore.tests.weighting.factories import (
    SCORES,
    make_draft,
    make_expert,
    publish,
    scored,
)
from sqcore.tests.weighting.test_pages import words
from sqcore.tests.weighting.test_services import CIRCLE, CONSISTENT
from sqcore.weighting.links import SENDINGS, WRONG, digest_of
from sqcore.weighting.models import ExpertInvitation, Judgement, WeightSet
from sqcore.weighting.queries import group_of, weighting_of
from sqcore.weighting.services import (
    choose_method,
    close_round,
    invite_expert,
    judge,
    judge_by_link,
    renew_link,
    revoke_invitation,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def draft() -> SystemVersion:
    make_unit("bank")
    return make_draft()


def invited(
    draft: SystemVersion, method: str = "ahp", name: str = "Dr Wang", days: int = 14
) -> tuple[ExpertInvitation, str]:
    """The invitation and the path of its link."""
    by = make_expert(f"maker-{User.objects.count()}")
    invitation, address = invite_expert(
        version=draft, group=TOP, method=method, name=name, days=days, by=by, now=NOW
    )
    return invitation, "/e/" + address.split("/e/")[1]


def get(path: str) -> HttpResponse:
    response: HttpResponse = Client().get(path)  # type: ignore[assignment]  # the test client's own kind
    return response


def post(path: str, data: dict[str, Any], client: Client | None = None) -> HttpResponse:
    sender = client or Client(enforce_csrf_checks=True)
    response: HttpResponse = sender.post(path, data)  # type: ignore[assignment]  # the test client's own kind
    return response


class TestInviting:
    def test_makes_a_link_of_which_only_a_digest_is_kept(self, draft: SystemVersion) -> None:
        invitation, path = invited(draft)

        secret = path.removeprefix("/e/").removesuffix("/")
        assert len(secret) == 43
        assert invitation.digest == digest_of(secret)
        row = ExpertInvitation.objects.values().get()
        assert secret not in str(row)
        entry = AuditEntry.objects.get(action="weighting.expert_invited")
        assert entry.details == {"group": TOP, "method": "ahp", "invitation": invitation.pk}

    @pytest.mark.parametrize(
        ("over", "field"),
        [({"name": " "}, "name"), ({"name": "x" * 101}, "name"), ({"days": 0}, "days"),
         ({"days": 181}, "days"), ({"name": " Dr  Wang "}, "name")],
    )  # fmt: skip
    def test_one_expert_has_one_link_and_a_name_and_some_days(
        self, draft: SystemVersion, over: dict[str, Any], field: str
    ) -> None:
        invited(draft)

        with pytest.raises(InvalidInput) as refusal:
            invited(draft, **{"name": "Prof Li", **over})

        assert [problem.field for problem in refusal.value.problems] == [field]
        assert ExpertInvitation.objects.count() == 1

    def test_a_method_that_asks_nobody_is_refused(self, draft: SystemVersion) -> None:
        with pytest.raises(InvalidInput, match="asks no experts"):
            invited(draft, method="critic")

        assert not ExpertInvitation.objects.exists()

    def test_is_for_who_may_change_the_system(self, draft: SystemVersion) -> None:
        invitation, _path = invited(draft)
        reader = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        for act in (renew_link, revoke_invitation):
            over = {"days": 1} if act is renew_link else {}
            with pytest.raises(NotPermitted):
                act(version=draft, invitation_id=invitation.pk, by=reader, now=NOW, **over)

        assert not ExpertInvitation.objects.visible_to(reader).exists()
        assert ExpertInvitation.objects.get().digest == invitation.digest

    def test_of_another_version_is_not_found(self, draft: SystemVersion) -> None:
        invitation, _path = invited(draft)
        other = make_draft(system=draft.system, number=2)

        with pytest.raises(NotFound):
            revoke_invitation(
                version=other, invitation_id=invitation.pk, by=make_expert("ana"), now=NOW
            )

        assert ExpertInvitation.objects.get().revoked_at is None

    def test_a_new_link_ends_the_former_one(self, draft: SystemVersion) -> None:
        invitation, former = invited(draft)

        _same, address = renew_link(
            version=draft, invitation_id=invitation.pk, days=3, by=make_expert("ana"), now=NOW
        )

        assert get(former).status_code == 404
        assert get("/e/" + address.split("/e/")[1]).status_code == 200
        assert ExpertInvitation.objects.get().expires_at == NOW + timedelta(days=3)

    def test_a_withdrawn_link_takes_nothing_and_can_be_given_anew(
        self, draft: SystemVersion
    ) -> None:
        invitation, path = invited(draft)
        ana = make_expert("ana")
        revoke_invitation(version=draft, invitation_id=invitation.pk, by=ana, now=NOW)

        assert get(path).status_code == 410
        assert "This invitation was withdrawn" in words(get(path))
        with pytest.raises(Conflict):
            judge_by_link(invitation=invitation, answers=CONSISTENT, now=NOW)
        with pytest.raises(Conflict, match="withdrawn before"):
            revoke_invitation(version=draft, invitation_id=invitation.pk, by=ana, now=NOW)
        invited(draft)
        assert not Judgement.objects.exists()
        assert ExpertInvitation.objects.count() == 2


class TestJudgement:
    def test_is_of_an_account_or_of_an_invitation_never_of_both_or_neither(
        self, draft: SystemVersion
    ) -> None:
        invitation, _path = invited(draft)
        user = User.objects.first()
        for expert, asked in ((user, invitation), (None, None)):
            with pytest.raises(IntegrityError), transaction.atomic():
                Judgement.objects.create(
                    weight_set=invitation.weight_set,
                    method="ahp",
                    expert=expert,
                    invitation=asked,
                    said_at=NOW,
                )

        assert not Judgement.objects.exists()

    def test_counts_beside_those_with_an_account(self, draft: SystemVersion) -> None:
        invitation, _path = invited(draft)
        mei = make_expert("mei")
        judge_by_link(invitation=invitation, answers=CONSISTENT, now=NOW)
        equal = dict.fromkeys(CONSISTENT, 1)
        judge(version=draft, group=TOP, answers=equal, by=mei, now=NOW)

        found = weighting_of(draft, group_of(draft, TOP))
        assert [(each.name, each.invitation_id) for each in found.experts] == [
            ("Dr Wang", invitation.pk),
            ("Mei", None),
        ]
        assert found.proposal.facts["experts"] == 2
        by_link = Judgement.objects.get(invitation=invitation)
        choose_method(
            version=draft, group=TOP, method="ahp", exponents={by_link.pk: 0}, by=mei, now=NOW
        )
        assert weighting_of(draft, group_of(draft, TOP)).proposal.facts["experts"] == 1
        entry = AuditEntry.objects.filter(action="weighting.judged").earliest("pk")
        assert entry.actor == f"expert:{invitation.pk}"

    def test_over_and_published_take_nothing(self, draft: SystemVersion) -> None:
        invitation, path = invited(draft)
        with time_machine.travel(NOW + timedelta(days=14)):
            assert "This invitation has expired" in words(get(path))
            assert post(path, {"pair-reliability:empathy": "3"}).status_code == 410
        publish(draft)

        assert "The weights are decided" in words(get(path))
        assert post(path, {"pair-reliability:empathy": "3"}).status_code == 410
        with pytest.raises(Conflict):
            judge_by_link(invitation=invitation, answers=CONSISTENT, now=NOW)
        assert not Judgement.objects.exists()


class TestPage:
    def test_a_group_that_is_gone_is_told_without_the_links_address(
        self, draft: SystemVersion
    ) -> None:
        invitation, path = invited(draft)
        WeightSet.objects.filter(pk=invitation.weight_set_id).update(group="gone")

        response = get(path)

        assert response.status_code == 404
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["X-Robots-Tag"] == "noindex"
        assert response["Cache-Control"] == "private, no-cache"

    def test_what_no_database_stores_is_left_out_of_a_reason(self, draft: SystemVersion) -> None:
        _invitation, path = invited(draft, method="rounds")

        response = post(path, {"score-empathy": "7", "reason-empathy": "slow\0 queues\0"})

        assert response.status_code == 302
        assert Judgement.objects.get().answers["empathy"]["reason"] == "slow queues"

    def test_asks_pairs_without_log_in_script_or_cookie(self, draft: SystemVersion) -> None:
        _invitation, path = invited(draft)

        response = get(path)

        html = response.content.decode()
        assert faults_of(html) == []
        assert html.count("<fieldset") == 3
        assert "Dr Wang, you were asked as an expert." in words(response)
        assert response["X-Robots-Tag"] == "noindex"
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["Cache-Control"] == "private, no-cache"
        assert "sessionid" not in response.cookies

    def test_keeps_what_is_sent_and_says_where_it_contradicts(self, draft: SystemVersion) -> None:
        _invitation, path = invited(draft)
        pairs = {f"pair-{key}": str(value) for key, value in CIRCLE.items()}

        response = post(path, pairs)

        assert response["Location"] == f"{path}?done=1"
        assert response["Referrer-Policy"] == "no-referrer"
        assert Judgement.objects.get().answers == {key: float(v) for key, v in CIRCLE.items()}
        done = get(f"{path}?done=1")
        assert faults_of(done.content.decode()) == []
        assert "Where it contradicts most You said Reliability over Responsiveness 3" in words(done)

    def test_can_be_changed_later(self, draft: SystemVersion) -> None:
        _invitation, path = invited(draft)
        post(path, {"pair-reliability:empathy": "3"})
        again = get(path).content.decode()
        assert re.findall(r'value="(-?\d*)"[^>]*checked', again) == ["", "3", ""]

        post(path, {"pair-reliability:empathy": "-2"})

        assert Judgement.objects.get().answers == {"empathy:reliability": 2.0}

    def test_asks_scores_and_shows_the_last_round_without_names(self, draft: SystemVersion) -> None:
        invitation, path = invited(draft, method="rounds")
        for name, scores in SCORES.items():
            answers = scored(scores)
            answers["empathy"]["reason"] = f"Reason {scores[2]}"
            by = make_expert(name)
            judge(version=draft, group=TOP, method="rounds", answers=answers, by=by, now=NOW)
        first = get(path)
        assert faults_of(first.content.decode()) == []
        assert "Last round" not in words(first)
        own = {"score-reliability": "8", "score-responsiveness": "6", "score-empathy": "2"}
        post(path, {**own, "reason-empathy": "Nobody asks for it"})
        close_round(version=draft, group=TOP, by=make_expert("ana"), now=NOW)

        text = words(get(path))

        assert "Round 2." in text
        assert (
            "Last round: half of the experts gave 2 to 3.3, the middle is 2.5. You gave 2." in text
        )
        assert "Reason 3" in text
        assert not {"Mei", "Chen", "Li"} & set(re.findall(r"\w+", text))
        assert Judgement.objects.get(invitation=invitation).answers["empathy"] == {
            "score": 2,
            "reason": "Nobody asks for it",
        }

    @pytest.mark.parametrize("value", ["0", "11", "x", "7.5", "²", "9" * 400])
    def test_what_is_no_score_is_no_answer(self, draft: SystemVersion, value: str) -> None:
        _invitation, path = invited(draft, method="rounds")

        assert post(path, {"score-empathy": value}).status_code == 302

        assert Judgement.objects.get().answers == {}

    def test_too_long_a_reason_is_refused(self, draft: SystemVersion) -> None:
        _invitation, path = invited(draft, method="rounds")

        response = post(path, {"score-empathy": "5", "reason-empathy": "x" * 501})

        assert response.status_code == 400
        assert "Nothing was kept." in words(response)
        assert not Judgement.objects.exists()

    def test_a_name_is_never_markup(self, draft: SystemVersion) -> None:
        _invitation, path = invited(draft, name="<script>x</script>")

        assert b"<script>x" not in get(path).content

    def test_a_wrong_link_leads_nowhere_and_many_have_to_wait(self, draft: SystemVersion) -> None:
        for _again in range(WRONG):
            response = get("/e/wrong/")
            assert (response.status_code, response["X-Robots-Tag"]) == (404, "noindex")

        response = get("/e/" + "x" * 500 + "/")

        assert (response.status_code, response["Retry-After"]) == (429, "600")

    def test_nobody_needs_so_many_sendings(self, draft: SystemVersion) -> None:
        _invitation, path = invited(draft)
        client = Client()
        for _again in range(SENDINGS):
            post(path, {"pair-reliability:empathy": "3"}, client)

        response = post(path, {"pair-reliability:empathy": "9"}, client)

        assert (response.status_code, response["Retry-After"]) == (429, "600")
        assert Judgement.objects.get().answers == {"reliability:empathy": 3.0}

    def test_takes_a_fixed_number_of_queries(
        self, draft: SystemVersion, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        _invitation, path = invited(draft)
        for number in range(4):
            other, _path = invited(draft, name=f"Expert {number}")
            judge_by_link(invitation=other, answers=CONSISTENT, now=NOW)
        get(path)

        with django_assert_num_queries(6):
            get(path)
