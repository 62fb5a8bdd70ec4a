"""Figures of a population out of lines and files."""

import pytest

from sqcore.base.errors import InvalidInput
from surveys.representation.importers import read_file, read_lines


def test_lines_take_a_code_and_a_number() -> None:
    assert read_lines("counter 1200\n\nweb: 0,5\nphone\t1,200", "channel") == {
        "channel": {"counter": 1200.0, "web": 0.5, "phone": 1200.0}
    }


def test_a_file_has_a_row_for_each_category() -> None:
    content = "\ufeffmargin;code;number\nchannel;counter;0,4\nsegment;private;10\n".encode()

    assert read_file(content) == {"channel": {"counter": 0.4}, "segment": {"private": 10.0}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "UTF-8"),
        (b"channel,counter,4\n", "first line"),
        (b"margin,code,number\nage,old,4\n", "must be one of"),
        (b"margin,code,number\nchannel,counter,-4\n", "0 or more"),
        (b"margin,code,number\nchannel,counter\n", "a category and a number"),
        (b"margin,code,number\nchannel,a,1\nchannel,a,2\n", "twice"),
    ],
)
def test_a_wrong_file_is_refused_with_its_reason(content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_file(content)

    assert said in " ".join([refused.value.message, *map(str, refused.value.problems)])
