import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from sqcore.base import bell


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "_silent_until", 0.0)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A broker that is away."""
    seen: list[str] = []

    def refuse(task: str, **options: object) -> None:
        seen.append(task)
        raise OperationalError("Connection refused")

    monkeypatch.setattr(current_app, "send_task", refuse)
    return seen


def test_absent_broker_is_waited_for_once_not_by_every_caller(
    tries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    assert not bell.ring("a.task", event_id=1)
    assert not bell.ring("a.task", event_id=2)
    clock[0] += bell.SILENCE
    assert not bell.ring("a.task", event_id=3)

    assert tries == ["a.task", "a.task"]
