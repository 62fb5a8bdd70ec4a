import threading

import pytest
from django.db import connection

from sqcore.audit.models import AuditSeal
from sqcore.audit.queries import check_chain
from sqcore.audit.services import record, seal
from sqcore.identity.principals import system_principal
from sqcore.tests.factories import NOW


@pytest.mark.django_db(transaction=True)
def test_sealers_and_writers_at_the_same_time_make_one_chain() -> None:
    """On SQLite a file, on PostgreSQL a server: each thread has a connection of its own."""
    failures: list[BaseException] = []

    def run(work: str) -> None:
        try:
            for number in range(15):
                if work == "seal":
                    seal(now=NOW)
                else:
                    record(action="a", subject=f"b:{number}", by=system_principal(), now=NOW)
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in ["seal", "write"] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    seal(now=NOW)

    assert failures == []
    assert AuditSeal.objects.count() == 45
    assert (check_chain().problem, check_chain().head.sequence) == ("", 45)
