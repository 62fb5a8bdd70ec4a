"""KPI series over REST: what a row says, who sees it, and when nothing is sent."""

import json
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.permissions import Permission
from sqcore.org.models import Organisation, Unit
from sqcore.tests.factories import make_unit
from sqcore.tests.rest import get, make_key, make_run, make_system, make_value

pytestmark = pytest.mark.django_db

RESULTS = Permission.VIEW_RESULTS


def rows(path: str, key: str) -> list[dict[str, Any]]:
    response = get(path, key)
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = json.loads(response.content)["results"]
    return found


class TestRow:
    def test_says_how_sure_from_what_since_when(self) -> None:
        run = make_run(make_system(), "2026-01")
        make_value(
            run,
            make_unit("north"),
            kind="indicator",
            code="reliability",
            margin="channel",
            margin_value="counter",
            value=5.6,
            low=5.4,
            high=5.8,
        )

        assert rows("kpi-values", make_key(RESULTS)) == [
            {
                "system": "service",
                "unit": "north",
                "grain": "month",
                "period": "2026-01",
                "starts_on": "2026-01-01",
                "ends_on": "2026-02-01",
                "margin": "channel",
                "margin_value": "counter",
                "kind": "indicator",
                "code": "reliability",
                "status": "ok",
                "reason": None,
                "value": 5.6,
                "low": 5.4,
                "high": 5.8,
                "score": 70.0,
                "score_low": 68.0,
                "score_high": 72.0,
                "n": 120,
                "coverage": 1.0,
                "run": run.pk,
                "revision": 1,
                "published_at": "2026-03-02T09:00:00Z",
            }
        ]

    @pytest.mark.parametrize("status", ["suppressed", "insufficient"])
    def test_has_no_numbers_when_they_are_withheld(self, status: str) -> None:
        make_value(make_run(make_system(), "2026-01"), make_unit("north"), status=status)

        (row,) = rows("kpi-values", make_key(RESULTS))

        numbers = ("value", "low", "high", "score", "score_low", "score_high", "n", "coverage")
        assert row["status"] == status
        assert [row[name] for name in numbers] == [None] * 8

    def test_names_a_quarter_by_the_fiscal_year(self) -> None:
        Organisation.objects.create(pk=1, name={"en": "Bank"}, fiscal_start=4)
        run = make_run(make_system(), "2026-Q2")
        make_value(run, make_unit("north"))

        assert rows("kpi-values", make_key(RESULTS))[0]["period"] == "2026-Q1"

    def test_leaves_out_what_a_later_revision_replaced(self) -> None:
        system, unit = make_system(), make_unit("north")
        make_value(make_run(system, "2026-01", is_current=False), unit)
        make_value(make_run(system, "2026-01", revision=2), unit, score=71.0)

        (row,) = rows("kpi-values", make_key(RESULTS))

        assert (row["revision"], row["score"]) == (2, 71.0)


class TestScope:
    def test_a_token_of_a_unit_sees_it_and_what_is_below(self) -> None:
        root = make_unit("bank")
        north = make_unit("north", parent=root)
        branch, south = make_unit("mill", parent=north), make_unit("south", parent=root)
        run = make_run(make_system(), "2026-01")
        for unit in (root, north, branch, south):
            make_value(run, unit)

        seen = rows("kpi-values", make_key(RESULTS, units=[north]))

        assert [row["unit"] for row in seen] == ["north", "mill"]

    def test_naming_another_unit_gives_nothing(self) -> None:
        root = make_unit("bank")
        north, south = make_unit("north", parent=root), make_unit("south", parent=root)
        make_value(make_run(make_system(), "2026-01"), south)

        assert rows("kpi-values?unit=south", make_key(RESULTS, units=[north])) == []

    def test_two_tokens_do_not_share_what_was_compiled_for_one(self) -> None:
        root = make_unit("bank")
        north, south = make_unit("north", parent=root), make_unit("south", parent=root)
        run = make_run(make_system(), "2026-01")
        make_value(run, north)
        make_value(run, south)

        for unit in (north, south, north):
            seen = rows("kpi-values?grain=month", make_key(RESULTS, units=[unit]))
            assert [row["unit"] for row in seen] == [unit.code]


class TestFilters:
    @pytest.fixture
    def key(self) -> str:
        system, root = make_system(), make_unit("bank")
        north = make_unit("north", parent=root)
        for period in ("2025-12", "2026-01", "2026"):
            run = make_run(system, period)
            make_value(run, root)
            make_value(run, north, kind="dimension", code="care")
            make_value(run, north, margin="channel", margin_value="app")
        return make_key(RESULTS)

    @pytest.mark.parametrize(
        ("asked", "count"),
        [
            ("", 9),
            ("system=service", 9),
            ("system=other", 0),
            ("unit=north", 6),
            ("grain=month", 6),
            ("period=2026-01", 3),
            ("period=2026", 3),
            ("since=2026-01-01", 6),
            ("until=2026-01-01", 3),
            ("since=2026-01-01&until=2026-01-02&grain=year", 3),
            ("kind=dimension", 3),
            ("code=care", 3),
            ("margin=overall", 6),
            ("margin=channel", 3),
            ("margin_value=app", 3),
            ("status=ok", 9),
            ("status=suppressed", 0),
            ("unit=north&code=care&grain=month&margin=overall&system=service", 2),
        ],
    )
    def test_select(self, key: str, asked: str, count: int) -> None:
        assert len(rows(f"kpi-values?{asked}", key)) == count

    @pytest.mark.parametrize(
        ("asked", "field"),
        [
            ("colour=red", "colour"),
            ("unit__name=x", "unit__name"),
            ("run__system__code=x", "run__system__code"),
            ("ordering=n", "ordering"),
            ("unit=", "unit"),
            ("unit=a&unit=b", "unit"),
            ("grain=hour", "grain"),
            ("since=17.05.2026", "since"),
            ("since=2026-13-01", "since"),
            ("period=May", "period"),
            ("period=2026-W54", "period"),
            ("grain=year&period=2026-01", "period"),
            ("kind=all", "kind"),
            ("code=" + "x" * 81, "code"),
            ("code=a%00b", "code"),
            ("page_size=201", "page_size"),
            ("page_size=0", "page_size"),
            ("page_size=1e9", "page_size"),
            ("page_size=%D9%A1", "page_size"),
            ("cursor=abc", "cursor"),
            ("cursor=%E7%BD%91", "cursor"),
            ("cursor=", "cursor"),
        ],
    )
    def test_refuse_what_is_not_declared(self, key: str, asked: str, field: str) -> None:
        response = get(f"kpi-values?{asked}", key)

        problem = json.loads(response.content)
        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"
        assert [error["field"] for error in problem["errors"]] == [field]


class TestPages:
    @pytest.fixture
    def key(self) -> str:
        system, root = make_system(), make_unit("bank")
        units = [root, *(make_unit(f"branch-{number}", parent=root) for number in range(2))]
        for period in ("2025-11", "2025-12", "2026-01"):
            run = make_run(system, period)
            for unit in units:
                make_value(run, unit)
                make_value(run, unit, margin="channel", margin_value="app")
                make_value(run, unit, margin="channel", margin_value="web")
        return make_key(RESULTS)

    @pytest.mark.parametrize(
        "asked",
        ["", "&margin=channel", "&unit=branch-1&grain=month", "&period=2025-12", "&kind=composite"],
    )
    @pytest.mark.parametrize("size", [1, 2, 5, 200])
    def test_go_through_everything_once(self, key: str, asked: str, size: int) -> None:
        whole = rows(f"kpi-values?page_size=200{asked}", key)

        found, path = [], f"kpi-values?page_size={size}{asked}"
        while path:
            page = json.loads(get(path, key).content)
            assert len(page["results"]) <= size
            found += page["results"]
            path = (page["next"] or "").partition("/api/v1/")[2]

        assert found == whole
        assert len({json.dumps(row) for row in found}) == len(found)

    def test_are_in_the_order_of_time_within_a_series(self, key: str) -> None:
        asked = "kpi-values?unit=branch-0&margin=overall"

        assert [row["period"] for row in rows(asked, key)] == ["2025-11", "2025-12", "2026-01"]

    def test_a_cursor_is_for_its_own_filter_only(self, key: str) -> None:
        link = json.loads(get("kpi-values?page_size=1&unit=branch-0", key).content)["next"]
        path = link.partition("/api/v1/")[2].replace("branch-0", "branch-1")

        assert get(path, key).status_code == 400

    def test_a_cursor_cannot_be_changed(self, key: str) -> None:
        link = json.loads(get("kpi-values?page_size=1", key).content)["next"]
        path = link.partition("/api/v1/")[2]
        changed = path[:-2] + ("AA" if path[-2:] != "AA" else "BB")

        assert get(changed, key).status_code == 400


class TestNothingNew:
    @pytest.fixture
    def unit(self) -> Unit:
        unit = make_unit("bank")
        make_value(make_run(make_system(), "2026-01"), unit)
        return unit

    def test_is_said_without_reading_a_row(
        self, unit: Unit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = make_key(RESULTS)
        tag = get("kpi-values", key)["ETag"]

        with django_assert_num_queries(1) as queries:
            response = get("kpi-values", key, **{"If-None-Match": tag})

        assert (response.status_code, response.content) == (304, b"")
        assert response["ETag"] == tag
        assert KpiValue._meta.db_table not in queries[0]["sql"]

    def test_ends_with_a_publication(self, unit: Unit) -> None:
        key = make_key(RESULTS)
        tag = get("kpi-values", key)["ETag"]
        EvaluationRun.objects.update(is_current=False)
        make_value(make_run(EvaluationRun.objects.get().system, "2026-01", revision=2), unit)

        response = get("kpi-values", key, **{"If-None-Match": tag})

        assert response.status_code == 200
        assert response["ETag"] != tag

    def test_ends_when_a_run_that_was_queued_earlier_is_published_later(self, unit: Unit) -> None:
        system = EvaluationRun.objects.get().system
        earlier = make_run(system, "2025-12", is_current=False)
        EvaluationRun.objects.filter(pk=earlier.pk).update(state="queued", published_at=None)
        make_run(system, "2025-11")
        key = make_key(RESULTS)
        tag = get("kpi-values", key)["ETag"]

        EvaluationRun.objects.filter(pk=earlier.pk).update(
            state="published", published_at=earlier.published_at
        )

        assert get("kpi-values", key, **{"If-None-Match": tag}).status_code == 200

    def test_is_not_said_to_another_scope_or_filter(self, unit: Unit) -> None:
        branch = make_unit("branch", parent=unit)
        tag = get("kpi-values", make_key(RESULTS))["ETag"]

        bound = make_key(RESULTS, units=[branch])
        assert get("kpi-values", bound, **{"If-None-Match": tag}).status_code == 200
        everywhere = make_key(RESULTS)
        other = get("kpi-values?grain=month", everywhere, **{"If-None-Match": tag})
        assert other.status_code == 200

    def test_understands_lists_and_strong_tags(self, unit: Unit) -> None:
        key = make_key(RESULTS)
        tag = get("kpi-values", key)["ETag"].removeprefix("W/")

        answers = [
            get("kpi-values", key, **{"If-None-Match": given}).status_code
            for given in (tag, f'"other", {tag}', "*", '"other"', "rubbish")
        ]

        assert answers == [304, 304, 304, 200, 200]


def test_a_page_costs_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    system, unit = make_system(), make_unit("bank")
    for period in ("2025-12", "2026-01"):
        make_value(make_run(system, period), unit)
    key = make_key(RESULTS)
    get("kpi-values", key)

    with django_assert_num_queries(2):
        get("kpi-values?unit=bank&grain=month", key)


class TestRuns:
    def test_are_listed_and_shown_alone(self) -> None:
        run = make_run(make_system(), "2026-01")
        key = make_key(RESULTS)

        (row,) = rows("runs", key)

        assert {**row, "series": []} == json.loads(get(f"runs/{run.pk}", key).content)
        assert (row["system"], row["version"], row["revision"]) == ("service", 1, 1)
        assert row["published_at"] == "2026-03-02T09:00:00Z"

    @pytest.mark.parametrize(
        ("asked", "count"),
        [
            ("", 2),
            ("period=2026-01", 1),
            ("state=published", 2),
            ("is_current=true", 1),
            ("is_current=false", 1),
            ("system=other", 0),
        ],
    )
    def test_can_be_filtered(self, asked: str, count: int) -> None:
        system = make_system()
        make_run(system, "2025-12", is_current=False)
        make_run(system, "2026-01")

        assert len(rows(f"runs?{asked}", make_key(RESULTS))) == count

    @pytest.mark.parametrize("run_id", ["0", "7", "99999999999999999999"])
    def test_an_unknown_one_is_not_found(self, run_id: str) -> None:
        assert get(f"runs/{run_id}", make_key(RESULTS)).status_code == 404

    def test_cost_a_fixed_number_of_queries(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        system = make_system()
        for month in range(1, 13):
            make_run(system, f"2025-{month:02d}")
        key = make_key(RESULTS)
        get("", key)

        with django_assert_num_queries(1):
            rows("runs", key)
