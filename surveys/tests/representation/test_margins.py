"""Who belongs to which category, and which categories may be told of."""

import numpy as np

from surveys.representation.margins import UNKNOWN, Margin, Skipped, margin_of

ALL = np.array([True, True, True])
FIGURES = {"counter": 50.0, "phone": 40.0, "web": 10.0}


def people(*sizes: int, unknown: int = 0) -> np.ndarray:
    return np.repeat([*range(len(sizes)), UNKNOWN], [*sizes, unknown])


def categories(margin: Margin | Skipped) -> list[tuple[tuple[str, ...], float, int]]:
    assert isinstance(margin, Margin)
    return [(each.codes, round(each.population, 4), each.people) for each in margin.categories]


def test_every_category_stands_by_itself_where_it_may_be_told() -> None:
    found = margin_of("channel", FIGURES, people(60, 30, 40), ALL, k=5)

    assert categories(found) == [
        (("counter",), 0.5, 60),
        (("phone",), 0.4, 30),
        (("web",), 0.1, 40),
    ]


def test_categories_that_may_not_be_told_are_put_together() -> None:
    told = np.array([True, False, False])

    found = margin_of("channel", FIGURES, people(60, 3, 8), told, k=5)

    assert categories(found) == [(("counter",), 0.5, 60), (("phone", "web"), 0.5, 11)]


def test_too_few_left_beside_them_take_the_smallest_with_them() -> None:
    told = np.array([True, True, False])

    found = margin_of("channel", FIGURES, people(60, 30, 2), told, k=5)

    assert categories(found) == [(("counter",), 0.5, 60), (("phone", "web"), 0.5, 32)]


def test_who_is_of_no_category_keeps_their_share() -> None:
    found = margin_of("channel", FIGURES, people(40, 40, 10, unknown=10), ALL, k=5)

    assert categories(found) == [
        (("counter",), 0.45, 40),
        (("phone",), 0.36, 40),
        (("web",), 0.09, 10),
        ((), 0.1, 10),
    ]


def test_leaving_customers_out_of_the_figures_tells_nobody_apart() -> None:
    """Who knows that 40 came by phone must not find the three on the web, who are put together
    with the 35 by post, by stating that neither phone nor web has customers."""
    figures = {"counter": 50.0, "post": 50.0, "phone": 0.0, "web": 0.0}
    told = np.array([True, False, True, False])

    found = margin_of("channel", figures, people(60, 35, 40, 3), told, k=5)

    assert [(codes, n) for codes, _share, n in categories(found)] == [
        (("counter",), 60),
        (("post",), 78),
    ]


def test_a_few_of_no_category_are_not_told_apart() -> None:
    found = margin_of("channel", FIGURES, people(60, 36, 12, unknown=2), ALL, k=5)

    assert isinstance(found, Margin)
    assert [each.people for each in found.categories] == [60, 36, 14]
    assert sum(each.population for each in found.categories) == 1.0


def test_a_category_nobody_answered_from_stays_in_the_population() -> None:
    found = margin_of("channel", FIGURES, people(60, 40, 0), ALL, k=5)

    assert categories(found)[-1] == (("web",), 0.1, 0)


def test_one_category_compares_nothing() -> None:
    assert margin_of("channel", FIGURES, people(60, 0, 0), ALL, k=5) is Skipped.ONE_CATEGORY


def test_too_few_at_all_are_not_weighed_by() -> None:
    nothing = np.array([False, False, False])

    assert margin_of("channel", FIGURES, people(2, 1, 0), nothing, k=5) is Skipped.TOO_FEW
