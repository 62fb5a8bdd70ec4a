"""Typed readers: a value that cannot be meant is refused by name, and secrets are not repeated."""

from pathlib import Path

import pytest

from sqcore.project.env import BadSetting, Environment, read_file


@pytest.mark.parametrize(
    ("text", "value"), [("yes", True), ("1", True), ("On", True), ("no", False), ("false", False)]
)
def test_flags_are_read(text: str, value: bool) -> None:
    assert Environment({"SQ_X": text}).flag("SQ_X", default=not value) is value


def test_an_empty_value_is_the_default() -> None:
    assert Environment({"SQ_X": " "}).text("SQ_X", "given") == "given"


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda env: env.text("SQ_Y"), "SQ_Y must be set"),
        (lambda env: env.flag("SQ_X", default=True), "SQ_X must be yes or no, not “often”"),
        (lambda env: env.number("SQ_X", 1, most=9), "SQ_X must be a whole number from 0 to 9"),
        (lambda env: env.choice("SQ_X", "a", ("a", "b")), "SQ_X must be one of a, b, not “often”"),
        (lambda env: env.words("SQ_Y"), "SQ_Y must be set"),
        (lambda env: env.address("SQ_X", ("redis",)), "SQ_X must be an address such as redis://"),
    ],
)
def test_what_cannot_be_meant_is_refused(read: object, sentence: str) -> None:
    assert callable(read)

    with pytest.raises(BadSetting) as refusal:
        read(Environment({"SQ_X": "often"}))

    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("text", ["-1", "1.5", "٣", "1e3", "99999999999", "0x10"])
def test_numbers_are_plain_digits_in_range(text: str) -> None:
    with pytest.raises(BadSetting, match="SQ_X must be a whole number from 0"):
        Environment({"SQ_X": text}).number("SQ_X", 1)


@pytest.mark.parametrize(
    "text", ["redis://:secret@", "http://:secret@host", "redis://h:secret", "redis://[::1"]
)
def test_a_bad_address_is_not_repeated(text: str) -> None:
    with pytest.raises(BadSetting) as refusal:
        Environment({"SQ_X": text}).address("SQ_X", ("redis",))

    assert "secret" not in str(refusal.value)


def test_a_database_address_is_taken_apart() -> None:
    env = Environment({"SQ_D": "postgresql://an%40na:p%2Fw@db.example:5433/sq?sslmode=require"})

    assert env.database("SQ_D", "SQ_P") == {
        "NAME": "sq",
        "USER": "an@na",
        "PASSWORD": "p/w",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_password_of_its_own_wins() -> None:
    env = Environment({"SQ_D": "postgresql://ana:old@db/sq", "SQ_P": "n/e:w"})

    assert env.database("SQ_D", "SQ_P")["PASSWORD"] == "n/e:w"


def test_a_database_without_a_name_is_refused() -> None:
    with pytest.raises(BadSetting, match="SQ_D must end with the name"):
        Environment({"SQ_D": "postgresql://db/"}).database("SQ_D", "SQ_P")


def test_a_typing_slip_is_refused_with_the_nearest_name() -> None:
    env = Environment({"SQ_EMIAL_HOST": "x", "PATH": "/bin"})
    env.text("SQ_EMAIL_HOST", "")

    with pytest.raises(BadSetting, match=r"SQ_EMIAL_HOST is not .*did you mean SQ_EMAIL_HOST\?"):
        env.refuse_unknown()


def test_servers_for_the_tests_may_stay_in_the_shell() -> None:
    Environment({"SQ_TEST_DATABASE_URL": "x"}).refuse_unknown()


def test_a_file_of_variables_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# ours\n\nSQ_A=1\n SQ_B = 'two words' \nSQ_C=\"a=b\"\n")

    assert read_file(file) == {"SQ_A": "1", "SQ_B": "two words", "SQ_C": "a=b"}


def test_a_line_that_is_none_is_refused_by_number(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SQ_A=1\nexport SQ_B\n")

    with pytest.raises(BadSetting, match=r"\.env line 2 must read NAME=value"):
        read_file(file)
