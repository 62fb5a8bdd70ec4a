"""The pages of Set-up: what they show, what they refuse, and to whom."""

from datetime import date

import pytest
from django.test import Client

from sqcore.identity.permissions import Role
from sqcore.indicators import sources
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    IndicatorEpoch,
    SystemVersion,
    Target,
    WeightedIndicator,
)
from sqcore.indicators.ready import install_ready_system
from sqcore.indicators.services import define_system, draft_version, publish_version
from sqcore.indicators.sources import Counts, Offer
from sqcore.indicators.trees import Branch, Leaf
from sqcore.org.models import Unit
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db

SINCE = date(2026, 1, 1)
DRAFT = "/setup/systems/bank/versions/1/"


class OfferingSource(MemorySource):
    def offers(self) -> list[Offer]:
        return [Offer("Waiting time", {"measure": "wait"}, "mean", "min", lower_is_better=True)]


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    source = OfferingSource(scales={"wait": 60}, key="counted", counts=Counts.ENCOUNTERS)
    monkeypatch.setitem(sources.SOURCES._offers, source.key, source)


def _client(name: str, role: Role, unit: Unit | None = None) -> Client:
    user = make_user(name)
    give_role(user, role, unit)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ana() -> Client:
    return _client("ana", Role.ANALYST)


@pytest.fixture
def mei() -> Client:
    return _client("mei", Role.MANAGER, make_unit("harbour"))


@pytest.fixture
def draft() -> SystemVersion:
    wait = define_indicator(
        code="wait",
        name={"en": "Waiting time"},
        source="counted",
        parameters={"measure": "wait"},
        unit_of_measure="min",
        direction="lower",
        by=SYSTEM,
        now=NOW,
    )
    return draft_version(
        system=define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW),
        grains=["week", "month"],
        since=SINCE,
        tree=[Branch("speed", {"en": "Speed"}, 1, [Leaf(wait, 1, 20, 0)])],
        by=SYSTEM,
        now=NOW,
    )


def _shown(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, path
    page = response.content.decode()
    assert faults_of(page) == [], path
    return page


class TestReading:
    @pytest.mark.parametrize(
        "path",
        [
            "/setup/systems/",
            "/setup/systems/new/",
            "/setup/systems/bank/",
            DRAFT,
            f"{DRAFT}settings/",
            f"{DRAFT}check/",
            f"{DRAFT}discard/",
            f"{DRAFT}dimensions/",
            f"{DRAFT}dimensions/?within=speed",
            f"{DRAFT}dimensions/speed/",
            f"{DRAFT}dimensions/speed/indicators/",
            f"{DRAFT}indicators/wait/",
            "/setup/indicators/",
            "/setup/indicators/?source=formula&stage=outcome",
            "/setup/indicators/new/",
            "/setup/indicators/wait/",
            "/setup/indicators/wait/change/",
            "/setup/indicators/wait/targets/",
        ],
    )
    def test_an_analyst_opens_every_page(
        self, ana: Client, draft: SystemVersion, path: str
    ) -> None:
        _shown(ana, path)

    @pytest.mark.parametrize(
        "path", ["/setup/systems/", "/setup/systems/bank/", "/setup/indicators/wait/"]
    )
    def test_who_sees_results_reads_what_is_published(
        self, mei: Client, draft: SystemVersion, path: str
    ) -> None:
        publish_version(version=draft, by=SYSTEM, now=NOW)

        page = _shown(mei, path)

        assert "Waiting time" in page or "Bank" in page
        assert "New system" not in page
        assert "Set a target" not in page

    @pytest.mark.parametrize(
        "path",
        [
            DRAFT,
            f"{DRAFT}check/",
            f"{DRAFT}settings/",
            "/setup/systems/new/",
            "/setup/indicators/new/",
            "/setup/indicators/wait/change/",
            "/setup/indicators/wait/targets/",
        ],
    )
    def test_drafts_and_forms_are_for_who_manages(
        self, mei: Client, draft: SystemVersion, path: str
    ) -> None:
        assert mei.get(path).status_code == 403

    def test_a_manager_posts_nothing(self, mei: Client, draft: SystemVersion) -> None:
        assert mei.post(f"{DRAFT}check/").status_code == 403
        assert mei.post(f"{DRAFT}weights/speed/", {"weight-wait": "10"}).status_code == 403
        assert mei.post(f"{DRAFT}discard/").status_code == 403

        draft.refresh_from_db()
        assert draft.state == "draft"
        assert WeightedIndicator.objects.get().weight == 1

    def test_what_is_not_there_is_not_found(self, ana: Client, draft: SystemVersion) -> None:
        for path in ("/setup/systems/hotel/", f"{DRAFT}indicators/x/", "/setup/indicators/x/"):
            assert ana.get(path).status_code == 404

    def test_the_catalogue_of_a_ready_system_reads_few_tables(
        self, ana: Client, django_assert_max_num_queries: pytest.FixtureRequest
    ) -> None:
        install_ready_system(code="bank", since=SINCE, by=SYSTEM, now=NOW)
        ana.get("/setup/indicators/")

        with django_assert_max_num_queries(11):  # type: ignore[operator]  # pytest-django's fixture
            page = _shown(ana, "/setup/indicators/")
        assert "counter-waiting-time" in page

    def test_a_draft_of_sixteen_indicators_reads_few_tables(
        self, ana: Client, django_assert_max_num_queries: pytest.FixtureRequest
    ) -> None:
        install_ready_system(code="servqual", since=SINCE, by=SYSTEM, now=NOW)
        path = "/setup/systems/perceived-quality/"
        ana.get(path)

        with django_assert_max_num_queries(12):  # type: ignore[operator]  # pytest-django's fixture
            _shown(ana, path)


class TestDrafting:
    def test_a_ready_system_becomes_a_draft(self, ana: Client) -> None:
        answer = ana.post("/setup/systems/new/", {"ready": "bank", "since": "2026-01-01"})

        assert answer.headers["Location"] == "/setup/systems/service-quality/versions/1/"
        page = _shown(ana, answer.headers["Location"])
        assert "stop its publication" in page
        assert Dimension.objects.count() == 5

    def test_an_empty_one_needs_a_name(self, ana: Client) -> None:
        answer = ana.post("/setup/systems/new/", {"ready": "", "since": "2026-01-01"})

        assert answer.status_code == 400
        assert "Give a name in at least one language" in answer.content.decode()
        assert not SystemVersion.objects.exists()

    def test_an_empty_one_takes_its_code_from_its_name(self, ana: Client) -> None:
        ana.post(
            "/setup/systems/new/",
            {"ready": "", "name_en": "Branch quality", "since": "2026-01-01"},
        )

        draft = SystemVersion.objects.get()
        assert (draft.system.code, draft.grains) == (
            "branch-quality",
            ["week", "month", "quarter", "year"],
        )

    def test_a_dimension_and_an_indicator_are_added(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        ana.post(f"{DRAFT}dimensions/", {"name_en": "Care", "name_zh-hans": "关怀"})
        answer = ana.post(f"{DRAFT}dimensions/care/indicators/", {"indicator": "bank:cleanliness"})

        assert answer.status_code == 302
        added = WeightedIndicator.objects.get(dimension__code="care")
        assert (added.indicator.code, added.worst, added.best) == ("cleanliness", 1, 7)
        assert Dimension.objects.get(code="care").name == {"en": "Care", "zh-hans": "关怀"}

    def test_a_name_in_chinese_alone_gets_a_code(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(f"{DRAFT}dimensions/", {"name_zh-hans": "关怀"})

        assert Dimension.objects.filter(code="dimension-1").exists()

    def test_an_indicator_of_the_catalogue_needs_goalposts(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        define_indicator(
            code="twice", name={"en": "Twice"}, formula="2 * [wait]", by=SYSTEM, now=NOW
        )

        answer = ana.post(f"{DRAFT}dimensions/speed/indicators/", {"indicator": "twice"})

        assert answer.status_code == 400
        assert WeightedIndicator.objects.count() == 1

    def test_an_indicator_is_placed_in_any_shape_at_once(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        define_indicator(
            code="twice", name={"en": "Twice"}, formula="2 * [wait]", by=SYSTEM, now=NOW
        )
        at = f"{DRAFT}dimensions/speed/indicators/?shape=nominal"
        form = {"indicator": "twice", "best": "5", "tolerance": "3", "dead_band": "1"}

        shown = ana.post(at, form | {"preview": "1"})
        assert "4 to 6 is 100 points; 2 and 8 are 0" in shown.content.decode()
        assert WeightedIndicator.objects.count() == 1
        assert ana.post(at, form | {"tolerance": ""}).status_code == 400
        assert WeightedIndicator.objects.count() == 1

        assert ana.post(at, form).status_code == 302
        leaf = WeightedIndicator.objects.get(indicator__code="twice")
        assert (leaf.shape, leaf.worst, leaf.best, leaf.dead_band) == ("nominal", 2, 5, 1)

    def test_weights_are_entered_in_percent(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(f"{DRAFT}dimensions/", {"name_en": "Care"})

        answer = ana.post(
            f"{DRAFT}weights/dimensions/", {"weight-speed": "62.5", "weight-care": "37,5"}
        )

        assert answer.headers["Location"] == f"{DRAFT}#at-dimensions"
        found = {each.code: float(each.weight) for each in Dimension.objects.all()}
        assert found == {"speed": 0.625, "care": 0.375}

    def test_three_equal_weights_stay_exact_when_they_are_sent_as_shown(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        for name in ("Care", "Trust"):
            ana.post(f"{DRAFT}dimensions/", {"name_en": name})
        before = list(Dimension.objects.order_by("id").values_list("weight", flat=True))
        shown = {f"weight-{code}": "33.33" for code in ("speed", "care", "trust")}

        ana.post(f"{DRAFT}weights/dimensions/", shown)

        assert list(Dimension.objects.order_by("id").values_list("weight", flat=True)) == before

    def test_weights_are_brought_to_a_hundred(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(f"{DRAFT}dimensions/", {"name_en": "Care"})

        ana.post(
            f"{DRAFT}weights/dimensions/",
            {"weight-speed": "30", "weight-care": "10", "rescale": "1"},
        )

        found = {each.code: float(each.weight) for each in Dimension.objects.all()}
        assert found == {"speed": 0.75, "care": 0.25}

    @pytest.mark.parametrize("typed", ["much", "-5", "101", "nan"])
    def test_a_weight_that_is_none_is_shown_with_what_was_typed(
        self, ana: Client, draft: SystemVersion, typed: str
    ) -> None:
        answer = ana.post(f"{DRAFT}weights/speed/", {"weight-wait": typed})

        page = answer.content.decode()
        assert answer.status_code == 400
        assert f'value="{typed}"' in page
        assert 'aria-invalid="true"' in page
        assert faults_of(page) == []
        assert WeightedIndicator.objects.get().weight == 1

    def test_periods_goalposts_and_names_are_changed(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        ana.post(f"{DRAFT}settings/", {"grains": ["month"], "since": "2026-02-01", "target": "80"})
        ana.post(f"{DRAFT}indicators/wait/", {"worst": "30", "best": "5"})
        ana.post(f"{DRAFT}dimensions/speed/", {"name_en": "Pace", "target": "70"})

        draft.refresh_from_db()
        assert (draft.grains, draft.since, draft.target) == (["month"], date(2026, 2, 1), 80)
        leaf = WeightedIndicator.objects.get()
        assert (leaf.worst, leaf.best) == (30, 5)
        changed = Dimension.objects.get()
        assert (changed.name, changed.target) == ({"en": "Pace"}, 70)

    def test_what_is_taken_out_is_gone(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(f"{DRAFT}indicators/wait/", {"remove": "1"})
        assert not WeightedIndicator.objects.exists()

        ana.post(f"{DRAFT}dimensions/speed/", {"remove": "1"})
        assert not Dimension.objects.exists()
        assert "No dimension yet" in _shown(ana, DRAFT)

    def test_a_draft_is_discarded(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(f"{DRAFT}discard/")

        assert not SystemVersion.objects.exists()
        assert Indicator.objects.exists()


class TestPublishing:
    def test_says_what_stops_it_with_the_way_there(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(f"{DRAFT}weights/speed/", {"weight-wait": "90"})

        page = _shown(ana, f"{DRAFT}check/")

        assert "1 thing stops its publication" in page
        assert f'href="{DRAFT}#at-speed"' in page
        assert "sum to 0.9, not to 1" in page
        assert "Publish version" not in page

    def test_leads_to_where_a_missing_measure_is_defined(self, ana: Client) -> None:
        install_ready_system(code="bank", since=SINCE, by=SYSTEM, now=NOW)

        page = _shown(ana, "/setup/systems/service-quality/versions/1/check/")

        assert "There is no measure “staff-qualified”." in page
        assert 'href="/setup/indicators/qualified-staff/"' in page
        assert '<a href="/measurements/">Measurements</a>' in page

    def test_a_refused_publication_changes_nothing(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(f"{DRAFT}weights/speed/", {"weight-wait": "90"})

        assert ana.post(f"{DRAFT}check/").status_code == 400

        draft.refresh_from_db()
        assert draft.state == "draft"

    def test_what_nothing_stops_counts_from_then_on(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        assert "Publish version 1" in _shown(ana, f"{DRAFT}check/")

        ana.post(f"{DRAFT}check/")

        draft.refresh_from_db()
        assert draft.state == "published"
        page = _shown(ana, "/setup/systems/bank/")
        assert "Draft the next version" in page
        assert "A published version never changes" in _shown(ana, DRAFT)

    def test_the_next_one_begins_as_a_copy(self, ana: Client, draft: SystemVersion) -> None:
        publish_version(version=draft, by=SYSTEM, now=NOW)

        answer = ana.post("/setup/systems/bank/copy/")

        assert answer.headers["Location"] == "/setup/systems/bank/versions/2/"
        assert WeightedIndicator.objects.filter(dimension__version__number=2).count() == 1


class TestCatalogue:
    def test_what_a_source_offers_needs_only_a_name(self, ana: Client) -> None:
        answer = ana.post(
            "/setup/indicators/new/",
            {"name_en": "Queue", "measures": 'counted:{"measure": "wait"}'},
        )

        assert answer.headers["Location"] == "/setup/indicators/queue/"
        made = Indicator.objects.get()
        assert (made.source, made.parameters) == ("counted", {"measure": "wait"})
        assert (made.unit_of_measure, made.direction, made.statistic) == ("min", "lower", "mean")

    def test_a_formula_that_cannot_be_read_says_where(self, ana: Client) -> None:
        answer = ana.post(
            "/setup/indicators/new/",
            {"name_en": "Rate", "measures": "formula", "formula": "1 - (2 * [wait]"},
        )

        page = answer.content.decode()
        assert answer.status_code == 400
        assert "At character 5" in page
        assert faults_of(page) == []
        assert not Indicator.objects.exists()

    def test_a_formula_over_what_is_there_is_kept(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(
            "/setup/indicators/new/",
            {"name_en": "Twice", "measures": "formula", "formula": "2 * [wait]"},
        )

        page = _shown(ana, "/setup/indicators/twice/")
        assert "2 * [wait]" in page
        assert 'href="/setup/indicators/wait/"' in page
        assert "Twice" in _shown(ana, "/setup/indicators/wait/")

    @pytest.mark.parametrize("written", ["", "wait", '{"measure": "wait"}', "[1]"])
    def test_parameters_that_say_no_source_are_refused(self, ana: Client, written: str) -> None:
        answer = ana.post(
            "/setup/indicators/new/",
            {"name_en": "Queue", "measures": "own", "parameters": written},
        )

        assert answer.status_code == 400
        assert not Indicator.objects.exists()

    def test_written_parameters_are_asked_of_the_source(self, ana: Client) -> None:
        written = '{"source": "counted", "measure": "speed"}'

        answer = ana.post(
            "/setup/indicators/new/",
            {"name_en": "Queue", "measures": "own", "parameters": written},
        )

        assert answer.status_code == 400
        assert "There is no measure “speed”" in answer.content.decode()

    def test_what_a_published_one_measures_changes_with_a_reason_from_a_day_on(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        publish_version(version=draft, by=SYSTEM, now=NOW)
        page = _shown(ana, "/setup/indicators/wait/change/")
        assert "begins a new epoch" in page
        form = {
            "name_en": "Wait",
            "measures": "own",
            "parameters": '{"source": "counted", "measure": "wait"}',
            "unit_of_measure": "min",
            "statistic": "mean",
            "direction": "lower",
            "stage": "preparation",
        }

        ana.post("/setup/indicators/wait/change/", form)
        changed = Indicator.objects.get()
        assert (changed.name, changed.stage) == ({"en": "Wait"}, "preparation")
        assert not IndicatorEpoch.objects.exists()

        refused = ana.post("/setup/indicators/wait/change/", form | {"statistic": "proportion"})
        assert refused.status_code == 400
        assert "say from which and why" in refused.content.decode()
        begun = {"statistic": "proportion", "reason": "Till is new", "starts_on": "2099-01-01"}
        ana.post("/setup/indicators/wait/change/", form | begun)

        epoch = IndicatorEpoch.objects.get()
        assert (epoch.number, epoch.starts_on, epoch.begun_by.username) == (
            2,
            date(2099, 1, 1),
            "ana",
        )
        shown = _shown(ana, "/setup/indicators/wait/")
        assert "What it measured before" in shown
        assert "Till is new" in shown
        assert "coming" in shown
        assert faults_of(shown) == []

    def test_a_target_is_set_shown_and_ended(self, ana: Client, draft: SystemVersion) -> None:
        ana.post(
            "/setup/indicators/wait/targets/", {"value": "8", "floor": "12", "on": "2026-01-01"}
        )
        target = Target.objects.get()
        page = _shown(ana, "/setup/indicators/wait/")
        assert "8 min" in page
        assert "12 min" in page

        ana.post(f"/setup/indicators/wait/targets/{target.pk}/end/", {"on": "2026-02-01"})

        target.refresh_from_db()
        assert target.valid_to == date(2026, 2, 1)

    def test_a_target_that_cannot_be_is_refused_beside_its_field(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        answer = ana.post("/setup/indicators/wait/targets/", {"value": "-8", "on": "2026-01-01"})

        assert answer.status_code == 400
        assert "-8 cannot be: it is measured in minutes" in answer.content.decode()
        assert not Target.objects.exists()
