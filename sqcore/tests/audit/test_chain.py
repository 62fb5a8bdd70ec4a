import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from sqcore.audit import services, triggers
from sqcore.audit.models import AuditCheck, AuditEntry, AuditSeal
from sqcore.audit.queries import FIRST, Head, check_chain, head
from sqcore.audit.services import check_and_export, record, seal
from sqcore.identity.principals import system_principal
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db

ROWS = 12


def write(count: int, *, first: int = 1) -> None:
    for number in range(first, first + count):
        record(
            action="unit.opened",
            subject=f"unit:{number}",
            by=system_principal(),
            now=NOW + timedelta(microseconds=number),
            details={"名": "x", "n": number},
        )


@pytest.fixture
def chain() -> list[int]:
    """Return the sequence numbers of a sealed chain."""
    write(ROWS)
    seal(now=NOW)
    return list(range(1, ROWS + 1))


def tamper(sql: str, *parameters: str | int) -> None:
    """Do what somebody with all rights on the database can do."""
    triggers.remove(connection)
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)


class TestSeal:
    def test_links_every_entry_in_order(self, chain: list[int]) -> None:
        links = AuditSeal.objects.order_by("sequence")

        assert [link.sequence for link in links] == chain
        assert [link.entry.details["n"] for link in links] == chain
        assert links[0].previous == FIRST
        assert [link.previous for link in links[1:]] == [link.digest for link in links[: ROWS - 1]]
        assert head() == Head(ROWS, links[ROWS - 1].digest)

    def test_continues_where_it_ended_and_does_nothing_twice(self, chain: list[int]) -> None:
        write(3, first=ROWS + 1)

        assert seal(now=NOW) == 3
        assert seal(now=NOW) == 0
        assert check_chain().head.sequence == ROWS + 3

    def test_takes_in_an_entry_whose_transaction_ended_late(self, chain: list[int]) -> None:
        last = AuditEntry.objects.order_by("-id").values_list("id", flat=True)[0]
        entry = AuditEntry(id=last + 5, at=NOW, actor="system", action="x", subject="y")
        entry.save(force_insert=True)
        seal(now=NOW)
        AuditEntry(id=last + 2, at=NOW, actor="system", action="x", subject="z").save(
            force_insert=True
        )

        assert seal(now=NOW) == 1
        assert not check_chain().problem

    def test_works_in_portions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services, "AT_ONCE", 5)
        write(ROWS)

        assert seal(now=NOW) == ROWS
        assert not check_chain().problem


CHANGES = [
    ("at", "2020-01-01 00:00:00"),
    ("actor", "user:9"),
    ("action", "unit.closed"),
    ("subject", "unit:0"),
    ("details", '{"n": 0}'),
]


class TestVerify:
    def test_says_that_it_holds_and_what_is_not_sealed_yet(self, chain: list[int]) -> None:
        write(2, first=100)

        report = check_chain()

        assert (report.problem, report.head, report.unsealed) == ("", head(), 2)

    @pytest.mark.parametrize(("column", "value"), CHANGES)
    def test_finds_a_changed_column(self, chain: list[int], column: str, value: str) -> None:
        entry = AuditSeal.objects.get(sequence=5).entry_id
        change = f"UPDATE sqcore_auditentry SET {column} = %s WHERE id = %s"  # noqa: S608 - a test
        tamper(change, value, entry)

        report = check_chain()

        assert report.problem == f"Link 5 or its entry {entry} was changed."
        assert report.head.sequence == 4

    @pytest.mark.parametrize("row", range(1, ROWS + 1))
    def test_finds_any_changed_row(self, chain: list[int], row: int) -> None:
        entry = AuditSeal.objects.get(sequence=row).entry_id
        tamper("UPDATE sqcore_auditentry SET actor = 'user:9' WHERE id = %s", entry)

        assert check_chain().head.sequence == row - 1

    @pytest.mark.parametrize("row", range(1, ROWS))
    def test_finds_any_deleted_row(self, chain: list[int], row: int) -> None:
        entry = AuditSeal.objects.get(sequence=row).entry_id
        tamper("DELETE FROM sqcore_auditseal WHERE sequence = %s", row)
        tamper("DELETE FROM sqcore_auditentry WHERE id = %s", entry)

        assert check_chain().problem == f"Link {row} or its entry is missing."

    @pytest.mark.parametrize("row", range(1, ROWS))
    def test_finds_any_deleted_row_though_the_rest_is_renumbered(
        self, chain: list[int], row: int
    ) -> None:
        tamper("DELETE FROM sqcore_auditseal WHERE sequence = %s", row)
        for number in range(row + 1, ROWS + 1):
            tamper(
                "UPDATE sqcore_auditseal SET sequence = sequence - 1 WHERE sequence = %s", number
            )

        assert check_chain().head.sequence == row - 1
        assert check_chain().problem

    @pytest.mark.parametrize("row", range(1, ROWS))
    def test_finds_any_two_swapped_rows(self, chain: list[int], row: int) -> None:
        for old, new in ((row, 1000), (row + 1, row), (1000, row + 1)):
            tamper("UPDATE sqcore_auditseal SET sequence = %s WHERE sequence = %s", new, old)

        assert check_chain().head.sequence == row - 1
        assert check_chain().problem

    @pytest.mark.parametrize("row", range(1, ROWS + 1))
    def test_finds_an_inserted_row_anywhere(self, chain: list[int], row: int) -> None:
        for number in range(ROWS, row - 1, -1):
            tamper(
                "UPDATE sqcore_auditseal SET sequence = sequence + 1 WHERE sequence = %s", number
            )
        write(1, first=50)
        entry = AuditEntry.objects.get(subject="unit:50")
        AuditSeal.objects.create(
            sequence=row, entry=entry, previous=FIRST, digest="f" * 64, sealed_at=NOW
        )

        assert check_chain().head.sequence == row - 1
        assert check_chain().problem

    def test_finds_an_entry_that_vanished_from_under_its_seal(self, chain: list[int]) -> None:
        entry = AuditSeal.objects.get(sequence=7).entry_id
        if connection.vendor == "postgresql":
            tamper("SET CONSTRAINTS ALL DEFERRED")
        tamper("DELETE FROM sqcore_auditentry WHERE id = %s", entry)

        assert check_chain().problem == "Link 7 or its entry is missing."
        tamper("DELETE FROM sqcore_auditseal WHERE sequence = 7")  # the test's own transaction ends

    @pytest.mark.parametrize("cut", range(1, ROWS + 1))
    def test_finds_a_cut_tail_with_an_anchor(self, chain: list[int], cut: int) -> None:
        anchor = head()
        tamper("DELETE FROM sqcore_auditseal WHERE sequence > %s", ROWS - cut)

        assert not check_chain().problem
        assert check_chain(anchors=[anchor]).problem == (
            f"The chain ends at link {ROWS - cut}; the anchor names link {ROWS}."
        )

    def test_finds_a_chain_that_was_written_anew_with_an_anchor(self, chain: list[int]) -> None:
        anchor = head()
        tamper("DELETE FROM sqcore_auditseal")
        tamper("UPDATE sqcore_auditentry SET actor = 'user:9' WHERE subject = 'unit:3'")
        seal(now=NOW)

        assert not check_chain().problem
        assert check_chain(anchors=[anchor]).problem == (
            f"Link {ROWS} is not the one that the anchor names."
        )


class TestDailyCheck:
    def test_seals_the_rest_and_writes_its_head_down(
        self, chain: list[int], tmp_path: Path
    ) -> None:
        path = tmp_path / "heads.jsonl"
        write(1, first=100)

        check_and_export(anchors=path, now=NOW)
        check_and_export(anchors=path, now=NOW + timedelta(days=1))

        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert lines == [{"at": NOW.isoformat(), "sequence": ROWS + 1, "digest": head().digest}]
        assert list(AuditCheck.objects.values_list("sequence", "problem")) == [(13, ""), (13, "")]

    def test_notes_a_break_and_writes_no_head_of_a_broken_chain(
        self, chain: list[int], tmp_path: Path
    ) -> None:
        path = tmp_path / "heads.jsonl"
        check_and_export(anchors=path, now=NOW)
        tamper("DELETE FROM sqcore_auditseal WHERE sequence > 9")  # sealed again by the check

        report = check_and_export(anchors=path, now=NOW + timedelta(days=1))

        assert report.problem == f"Link {ROWS} is not the one that the anchor names."
        assert AuditCheck.objects.order_by("-id")[0].problem == report.problem
        assert len(path.read_text().splitlines()) == 1


class TestCommand:
    def run(self, *arguments: str) -> str:
        said = StringIO()
        call_command("verify_audit", *arguments, stdout=said)
        return said.getvalue()

    def test_says_that_the_chain_holds(self, chain: list[int]) -> None:
        assert self.run() == (
            f"The audit chain holds: 12 links, head {head().digest}; "
            "0 newer entries are not sealed yet.\n"
        )

    def test_ends_with_an_error_that_names_the_first_break(self, chain: list[int]) -> None:
        tamper("DELETE FROM sqcore_auditseal WHERE sequence = 3")

        with pytest.raises(CommandError, match=r"Link 3 or its entry is missing.*up to link 2"):
            self.run()

    def test_prints_a_head_that_serves_as_anchor(self, chain: list[int], tmp_path: Path) -> None:
        path = tmp_path / "anchor"
        path.write_text(self.run("--head"))
        assert "holds" in self.run("--anchor", str(path))
        tamper("DELETE FROM sqcore_auditseal WHERE sequence = 12")

        with pytest.raises(CommandError, match="ends at link 11"):
            self.run("--anchor", str(path))

    @pytest.mark.parametrize(
        "text", ["{", "[]", '{"sequence": 1}', '{"sequence": "x", "digest": 1}']
    )
    def test_refuses_an_anchor_that_is_none(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "anchor"
        path.write_text(text)

        with pytest.raises(CommandError, match="cannot be read"):
            self.run("--anchor", str(path))


class TestTriggers:
    def test_are_all_there_after_all_migrations(self) -> None:
        assert triggers.present(connection) == triggers.expected(connection.vendor)

    @pytest.mark.parametrize("table", triggers.TABLES)
    @pytest.mark.parametrize(
        "act", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
    )
    def test_refuse_to_change_the_ledger(self, chain: list[int], table: str, act: str) -> None:
        if act.startswith("TRUNCATE") and connection.vendor == "sqlite":
            pytest.skip("SQLite has no TRUNCATE")
        connection.check_constraints()  # now, so that no later check stands before TRUNCATE

        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            connection.cursor().execute(act.format(table))

        assert not check_chain().problem
        assert check_chain().head.sequence == ROWS

    def test_can_be_installed_again(self) -> None:
        triggers.install(connection)

        assert triggers.present(connection) == triggers.expected(connection.vendor)
