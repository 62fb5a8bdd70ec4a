from sqcore.dashboards.figures import (
    Point,
    Series,
    bars_figure,
    interval_bar_of,
    series_figure,
    sparkline_of,
)

MARCH = Point("2026-03", 70.0, 68.0, 72.0, 120, x="2026-03-01")
APRIL_WITHHELD = Point("2026-04", None, x="2026-04-01", withheld=True)
MAY_UNKNOWN = Point("2026-05", None, x="2026-05-01", n=0)
JUNE = Point("2026-06", 74.0, 71.5, 76.5, 90, x="2026-06-01")
JULY = Point("2026-07", 75.0, 72.0, 78.0, 95, x="2026-07-01")


class TestSeriesFigure:
    def test_breaks_line_and_band_where_there_is_no_value(self) -> None:
        figure = series_figure([Series("North", [MARCH, APRIL_WITHHELD, JUNE, JULY])])

        first_band, second_band, line = figure.traces
        assert first_band["x"] == ["2026-03-01", "2026-03-01"]
        assert second_band["y"] == [76.5, 78.0, 72.0, 71.5]
        assert line["y"] == [70.0, None, 74.0, 75.0]
        assert line["connectgaps"] is False

    def test_says_in_the_table_why_a_value_is_missing(self) -> None:
        figure = series_figure([Series("North", [MARCH, APRIL_WITHHELD, MAY_UNKNOWN])])

        assert figure.rows == [
            ["2026-03", "70.0", "68.0 – 72.0", 120],
            ["2026-04", "too few answers to show", "", ""],
            ["2026-05", "no data", "", 0],
        ]

    def test_hands_no_number_of_a_withheld_point_to_the_browser(self) -> None:
        withheld = Point("2026-04", None, n=None, x="2026-04-01", withheld=True)

        figure = series_figure([Series("North", [withheld])])

        assert figure.traces[0]["customdata"] == [""]

    def test_names_the_series_only_when_there_are_several(self) -> None:
        one = series_figure([Series("North", [MARCH])])
        two = series_figure([Series("North", [MARCH]), Series("South", [JUNE], 2)])

        assert one.columns[0].title == "Period"
        assert [row[0] for row in two.rows] == ["North", "South"]
        assert one.layout["showlegend"] is False
        assert two.layout["showlegend"] is True

    def test_leaves_colours_to_the_style_sheet(self) -> None:
        figure = series_figure([Series("North", [MARCH]), Series("South", [JUNE], 2)], target=70)

        lines = [trace for trace in figure.traces if trace["name" if "name" in trace else "mode"]]
        assert lines[-1]["line"]["color"] == "--series-2"
        assert figure.layout["shapes"][0]["line"]["color"] == "--ink-soft"
        assert figure.layout["annotations"][0]["text"] == "Target 70.0"

    def test_takes_nothing_in_a_name_for_a_tag(self) -> None:
        figure = series_figure([Series("A <b>& %{x}", [MARCH]), Series("B", [JUNE])])

        assert figure.traces[1]["name"] == "A &lt;b>&amp; % {x}"
        assert figure.rows[0][0] == "A <b>& %{x}"


class TestBarsFigure:
    def test_shows_each_with_its_interval_and_leaves_unknown_to_the_table(self) -> None:
        figure = bars_figure([MARCH, APRIL_WITHHELD])

        (trace,) = figure.traces
        assert trace["x"] == [70.0]
        assert trace["error_x"]["array"] == [2.0]
        assert trace["error_x"]["arrayminus"] == [2.0]
        assert len(figure.rows) == 2


class TestSparkline:
    def test_scales_values_and_bands_into_its_box(self) -> None:
        spark = sparkline_of([Point("a", 0.0), Point("b", 10.0), Point("c", 5.0)])

        assert spark.lines == ["0.0,28.0 50.0,2.0 100.0,15.0"]
        assert spark.last == (100.0, 15.0)

    def test_breaks_at_gaps(self) -> None:
        spark = sparkline_of([MARCH, APRIL_WITHHELD, JUNE, JULY])

        assert len(spark.lines) == 1
        assert len(spark.bands) == 1

    def test_draws_a_flat_line_in_the_middle(self) -> None:
        assert sparkline_of([Point("a", 3.0), Point("b", 3.0)]).lines == ["0.0,15.0 100.0,15.0"]

    def test_is_empty_without_values(self) -> None:
        spark = sparkline_of([APRIL_WITHHELD])

        assert (spark.lines, spark.bands, spark.last) == ([], [], None)


class TestIntervalBar:
    def test_places_in_percent_of_the_scale(self) -> None:
        bar = interval_bar_of(value=31, low=18, high=44, target=50, scale=(-100, 100))

        assert (bar.value, bar.low, bar.high, bar.target) == (65.5, 59.0, 72.0, 75.0)

    def test_cuts_off_what_is_outside(self) -> None:
        bar = interval_bar_of(value=101, low=-5, high=120)

        assert (bar.low, bar.value, bar.high) == (0.0, 100.0, 100.0)
        assert (bar.is_cut_below, bar.is_cut_above) == (True, True)

    def test_what_ends_on_the_scale_is_not_marked_as_going_on(self) -> None:
        bar = interval_bar_of(value=50, low=0, high=100, target=130)

        assert (bar.target, bar.is_cut_below, bar.is_cut_above) == (100.0, False, False)
