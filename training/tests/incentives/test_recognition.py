import pytest

from sqcore.achievements.models import Achievement
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.principals import system_principal
from sqcore.notices.models import Notice
from sqcore.org.models import Assignment
from sqcore.tests.factories import NOW
from training.incentives.models import Recognition
from training.incentives.queries import recognitions_asked, wall
from training.incentives.recognition import answer_recognition, recognise, take_down
from training.tests.factories import Bank

pytestmark = pytest.mark.django_db


def thank(bank: Bank, **over: object) -> Recognition:
    """Chen thanks Li."""
    fields: dict[str, object] = {
        "staff_id": bank.li.pk,
        "text": "He stayed until it worked.",
        "by": bank.as_(bank.chen),
        "now": NOW,
    }
    return recognise(**{**fields, **over})  # type: ignore[arg-type]  # as named above


def test_words_are_on_the_wall_only_when_the_person_consents(bank: Bank) -> None:
    words = thank(bank)

    assert not wall(bank.as_(bank.mei)).exists()
    assert list(recognitions_asked(bank.as_(bank.li))) == [words]
    assert Notice.objects.get(key=f"recognition:{words.pk}").reader == bank.li.user
    answer_recognition(recognition_id=words.pk, show=True, by=bank.as_(bank.li), now=NOW)

    assert [each.text for each in wall(bank.as_(bank.mei))] == ["He stayed until it worked."]
    assert Achievement.objects.standing().get().title["en"] == "Words of thanks from a colleague"
    assert not recognitions_asked(bank.as_(bank.li)).exists()


def test_who_declines_is_not_shown_and_not_asked_again(bank: Bank) -> None:
    words = thank(bank)
    answer_recognition(recognition_id=words.pk, show=False, by=bank.as_(bank.li), now=NOW)

    with pytest.raises(Conflict):
        answer_recognition(recognition_id=words.pk, show=True, by=bank.as_(bank.li), now=NOW)
    assert not wall(bank.as_(bank.chen)).exists()
    assert Achievement.objects.count() == 0


def test_nobody_else_consents(bank: Bank) -> None:
    words = thank(bank)

    with pytest.raises(NotPermitted):
        answer_recognition(recognition_id=words.pk, show=True, by=bank.as_(bank.chen), now=NOW)
    with pytest.raises(NotFound):
        answer_recognition(recognition_id=words.pk, show=True, by=bank.as_(bank.mei), now=NOW)
    assert Recognition.objects.get().state == "asked"


@pytest.mark.parametrize("who", ["li", "chen", "hua"])
def test_words_are_taken_down_again(bank: Bank, who: str) -> None:
    words = thank(bank)
    answer_recognition(recognition_id=words.pk, show=True, by=bank.as_(bank.li), now=NOW)

    take_down(recognition_id=words.pk, by=bank.as_(getattr(bank, who)), now=NOW)

    assert not wall(bank.as_(bank.li)).exists()
    assert not Achievement.objects.standing().exists()
    with pytest.raises(Conflict):
        take_down(recognition_id=words.pk, by=bank.as_(bank.li), now=NOW)


def test_a_stranger_takes_nothing_down(bank: Bank) -> None:
    words = thank(bank)
    answer_recognition(recognition_id=words.pk, show=True, by=bank.as_(bank.li), now=NOW)

    with pytest.raises(NotPermitted):
        take_down(recognition_id=words.pk, by=bank.as_(bank.mei), now=NOW)
    assert wall(bank.as_(bank.mei)).count() == 1


def test_words_of_a_customer_need_the_customers_consent(bank: Bank) -> None:
    with pytest.raises(InvalidInput) as refusal:
        thank(bank, source="customer")
    assert refusal.value.problems[0].field == "consent_of_customer"

    words = thank(bank, source="customer", consent_of_customer="By telephone on 1 March")
    assert words.source == "customer"


@pytest.mark.parametrize("text", ["", " ", "x" * 601])
def test_words_that_cannot_be_kept_are_refused(bank: Bank, text: str) -> None:
    with pytest.raises(InvalidInput):
        thank(bank, text=text)
    with pytest.raises(InvalidInput):
        thank(bank, source="moon")
    assert Recognition.objects.count() == 0


def test_words_are_for_others_who_work_here(bank: Bank) -> None:
    for by in (bank.as_(bank.li), system_principal()):
        with pytest.raises(NotPermitted):
            thank(bank, by=by)
    Assignment.objects.filter(staff=bank.li).update(valid_to=NOW.date())
    with pytest.raises(NotFound):
        thank(bank)
    assert Recognition.objects.count() == 0
