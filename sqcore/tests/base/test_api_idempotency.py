"""The same request sent twice happens once, also when both come at the same moment."""

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection

from sqcore.base.errors import Conflict, InvalidInput
from sqcore.base.idempotency import Answer, KeyUsedBefore, answer_once, forget_requests
from sqcore.base.models import RememberedRequest
from sqcore.tests.factories import TODAY, make_channel

KEY = "8d7c2f1e-0000-4000-8000-000000000001"


def ask(
    make: Callable[[], Answer] = lambda: Answer(201, {"id": 7}),
    *,
    scope: str = "token:1 /responses",
    key: str = KEY,
    body: dict[str, object] | None = None,
    today: date = TODAY,
) -> Answer:
    return answer_once(scope=scope, key=key, body=body or {"a": 1}, today=today, make=make)


def never() -> Answer:
    raise AssertionError("it must not be made again")


@pytest.mark.django_db
class TestAnswerOnce:
    def test_repeats_the_answer_and_creates_nothing(self) -> None:
        assert ask() == Answer(201, {"id": 7})

        assert ask(never) == Answer(201, {"id": 7}, repeated=True)

    def test_takes_the_same_body_in_another_order(self) -> None:
        ask(body={"a": 1, "b": 2})

        assert ask(never, body={"b": 2, "a": 1}).repeated

    def test_refuses_the_key_for_another_body(self) -> None:
        ask()

        with pytest.raises(KeyUsedBefore):
            ask(never, body={"a": 2})

    def test_keeps_scopes_apart(self) -> None:
        ask()

        assert ask(lambda: Answer(201, {"id": 8}), scope="token:2 /responses").body == {"id": 8}

    def test_forgets_what_failed_with_all_it_did(self) -> None:
        def fail() -> Answer:
            make_channel("counter")
            raise Conflict("no")

        with pytest.raises(Conflict):
            ask(fail)

        assert not RememberedRequest.objects.exists()
        assert ask().body == {"id": 7}

    @pytest.mark.parametrize(
        "key", ["", "short", "x" * 129, "with space", "schlüssel-0001", "a\nb\nc\nd\ne"]
    )
    def test_needs_a_usable_key(self, key: str) -> None:
        with pytest.raises(InvalidInput, match="Idempotency-Key"):
            ask(never, key=key)

    def test_keeps_neither_the_key_nor_the_body_nor_an_order(self) -> None:
        ask(body={"answers": {"q1": 6}})

        row = RememberedRequest.objects.get()
        stored = str(RememberedRequest.objects.values_list().get())
        assert KEY not in stored
        assert "q1" not in stored
        assert row.pk == row.key
        assert row.created_on == TODAY

    def test_the_same_body_under_two_keys_looks_different(self) -> None:
        ask()
        ask(key=KEY[:-1] + "2")

        assert RememberedRequest.objects.values("digest").distinct().count() == 2


@pytest.mark.django_db
def test_requests_are_kept_for_more_than_a_day_and_then_forgotten() -> None:
    ask()

    assert forget_requests(today=TODAY + timedelta(days=2)) == 0
    assert forget_requests(today=TODAY + timedelta(days=3)) == 1
    assert not RememberedRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_at_the_same_moment_one_works() -> None:
    """SQLite or PostgreSQL, whichever the suite runs on; each thread has its own connection."""
    made: list[int] = []
    answers: list[Answer] = []
    start = threading.Barrier(16)

    def make() -> Answer:
        made.append(1)
        make_channel(f"channel-{len(made)}")
        return Answer(201, {"id": len(made)})

    def work() -> None:
        start.wait()
        try:
            answers.append(ask(make))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert [answer.body for answer in answers] == [{"id": 1}] * 16
    assert sum(not answer.repeated for answer in answers) == 1
    assert RememberedRequest.objects.count() == 1
