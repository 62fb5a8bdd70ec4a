"""JSON from outside: what is read, and how what cannot be taken is named."""

import pytest

from sqcore.base.errors import InvalidInput
from sqcore.base.json_input import MAX_BYTES, TooLarge, read_json


def test_reads_an_object_with_everything_json_has() -> None:
    raw = '{"a": [1, -2.5, true, null, "网点"], "b": {"c": "\\ud83d\\ude00"}}'.encode()

    assert read_json(raw) == {"a": [1, -2.5, True, None, "网点"], "b": {"c": "\U0001f600"}}


@pytest.mark.parametrize("depth", [51, 200, 900, 5000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_refuses_json_that_is_nested_too_deep(depth: int, brackets: tuple[str, str]) -> None:
    start, end = brackets
    inner = "1" if start != "[" else ""
    raw = '{"x":' + start * (depth - 1) + inner + end * (depth - 1) + "}"

    with pytest.raises(InvalidInput):
        read_json(raw.encode())


def test_takes_fifty_levels() -> None:
    assert read_json(b'{"x":' + b"[" * 49 + b"]" * 49 + b"}")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"  ",
        b"{",
        b"[1]",
        b"7",
        b'"text"',
        b"null",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1,}',
        b"{'a': 1}",
    ],
)
def test_refuses_what_is_no_json_object(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_json(raw)


def test_names_where_a_nul_stands() -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_json(b'{"responses": [{"answers": {"q1": "a\\u0000b"}}]}')

    assert refusal.value.problems[0].field == "responses[0].answers.q1"


def test_refuses_a_nul_in_a_name() -> None:
    with pytest.raises(InvalidInput):
        read_json(b'{"a\\u0000": 1}')


def test_takes_an_escaped_backslash_before_u0000() -> None:
    assert read_json(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


def test_refuses_a_body_that_is_too_large() -> None:
    with pytest.raises(TooLarge):
        read_json(b'{"a": "' + b"x" * MAX_BYTES + b'"}')
