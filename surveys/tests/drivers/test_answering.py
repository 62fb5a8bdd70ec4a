"""How Kano's two questions look to who answers them."""

import pytest
from django.test import Client

from sqcore.org.models import Unit
from sqcore.tests.factories import make_unit
from surveys.responses.forms import Answering
from surveys.tests.factories import make_campaign, make_link, make_ready_version

pytestmark = pytest.mark.django_db

WORDS = [
    "I like it",
    "I take it for granted",
    "It is all the same to me",
    "I can live with it",
    "I dislike it",
]


@pytest.fixture
def unit() -> Unit:
    return make_unit("north")


def test_with_it_comes_before_without_it_and_each_answer_has_its_words() -> None:
    answering = Answering.of(make_ready_version("kano-example"), "en", {"right-with": 2})

    first = answering.screens[0].cards[0]

    assert [question.name for question in first] == ["right-with", "right-without"]
    assert [choice.text for choice in first[0].choices] == WORDS
    assert [choice.value for choice in first[0].choices if choice.is_chosen] == ["2"]
    assert first[0].ends == []


def test_a_scale_with_words_at_its_ends_shows_numbers_as_before() -> None:
    question = Answering.of(make_ready_version("short-form"), "en", {}).screens[0].cards[0][0]

    assert [choice.text for choice in question.choices] == list("1234567")
    assert not question.is_worded


def test_the_page_speaks_of_neither_expected_nor_found(unit: Unit) -> None:
    campaign = make_campaign(version=make_ready_version("kano-example"))

    response = Client().get(f"/a/{make_link(campaign, unit).token}/")

    html = response.content.decode()
    assert response.status_code == 200
    assert "I take it for granted" in html
    assert "Found here" not in html
