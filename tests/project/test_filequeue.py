"""The queue of files: complete messages, in order, each taken once."""

import json
import threading
from pathlib import Path

import pytest
from kombu import Connection
from kombu.simple import SimpleQueue

from sqcore.project.filequeue import Transport


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    (tmp_path / "messages").mkdir()
    return Connection(
        transport=Transport,
        hostname="localhost",
        transport_options={
            "data_folder_in": str(tmp_path / "messages"),
            "data_folder_out": str(tmp_path / "messages"),
            "control_folder": str(tmp_path / "control"),
            "polling_interval": 0.01,
        },
    )


def test_messages_come_in_the_order_of_sending(connection: Connection, tmp_path: Path) -> None:
    with connection, SimpleQueue(connection.channel(), tmp_path.name) as queue:
        for number in range(20):
            queue.put({"number": number})

        assert [queue.get(timeout=1).payload["number"] for _ in range(20)] == list(range(20))


def test_nothing_is_left_of_a_taken_message(connection: Connection, tmp_path: Path) -> None:
    with connection, SimpleQueue(connection.channel(), tmp_path.name) as queue:
        queue.put({"number": 1})
        queue.get(timeout=1).ack()

    assert list((tmp_path / "messages").iterdir()) == []


def test_a_message_that_is_being_written_is_not_taken(
    connection: Connection, tmp_path: Path
) -> None:
    half = tmp_path / "messages" / f".{0:020d}_x.{tmp_path.name}.msg"
    half.write_text('{"bo')

    with connection, SimpleQueue(connection.channel(), tmp_path.name) as queue:
        assert queue.qsize() == 0
        with pytest.raises(queue.Empty):
            queue.get(timeout=0.1)


def test_two_workers_never_take_one_message(connection: Connection, tmp_path: Path) -> None:
    taken: list[int] = []

    def take() -> None:
        with connection.clone() as own, SimpleQueue(own.channel(), tmp_path.name) as queue:
            while True:
                try:
                    message = queue.get(timeout=0.3)
                except queue.Empty:
                    return
                taken.append(message.payload["number"])
                message.ack()

    with connection, SimpleQueue(connection.channel(), tmp_path.name) as queue:
        for number in range(200):
            queue.put({"number": number})
    workers = [threading.Thread(target=take) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(taken) == list(range(200))


def test_messages_are_json(connection: Connection, tmp_path: Path) -> None:
    with connection, SimpleQueue(connection.channel(), tmp_path.name) as queue:
        queue.put({"name": "网点"})
        (file,) = (tmp_path / "messages").glob("*.msg")

        assert json.loads(file.read_text())["content-type"] == "application/json"


def test_a_table_that_was_half_written_is_written_anew(
    connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / f"{tmp_path.name}.exchange").write_text('[["')

    with connection, SimpleQueue(connection.channel(), tmp_path.name) as queue:
        queue.put({"number": 1})

        assert queue.get(timeout=1).payload == {"number": 1}
