"""Where messages may go, how they are signed, and that they arrive on a real connection."""

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sqcore.base.errors import InvalidInput
from sqcore.tests.factories import NOW
from sqcore.webhooks.sending import (
    NotReached,
    Ways,
    check_address,
    is_public,
    secret_of,
    secret_text,
    send,
    signature,
)

NEAR = Ways(("http", "https"), lambda _address: True)


@dataclass
class Receiver:
    """A system that takes messages in, on this machine."""

    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    known = Receiver()

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(known.status)
            self.send_header("Location", "http://127.0.0.1/elsewhere")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Takes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known.url = f"http://localhost:{server.server_port}/hook?for=bank"
    yield known
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0"),
        *("fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
        *("2001:db8::1", "192.0.2.1", "198.18.0.1", "ff02::1", "fec0::1", "::7f00:1"),
        *("::ffff:0:7f00:1", "64:ff9b:1::7f00:1"),
    ],
)
def test_private_and_reserved_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/", "must begin with https"),
        ("ftp://example.org/", "must begin with https"),
        ("https://", "must name a host"),
        ("https://ana:secret@example.org/", "without a user or password"),
        ("https://example.org:99999/", "impossible port"),
        ("https://localhost/", "private network"),
        ("https://127.0.0.1/", "private network"),
        ("https://2130706433/", "private network"),
        ("https://[::1]/", "private network"),
        ("https://no-such-host.invalid/", "no host of this name"),
    ],
)
def test_an_address_to_which_nothing_is_sent_is_refused_with_the_reason(
    url: str, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        check_address(url)


def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    seen: list[str] = []

    def second_is_private(address: str) -> bool:
        seen.append(address)
        return False

    with pytest.raises(InvalidInput, match="private network"):
        check_address("https://localhost/", ways=Ways(("https",), second_is_private))
    assert seen


def test_the_signature_is_that_of_the_published_example() -> None:
    """Standard Webhooks, reference libraries' test vector (svix-webhooks, 2021)."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = signature(
        secret=secret,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_arrives_signed_so_that_the_receiver_can_check_it(receiver: Receiver) -> None:
    status = send(
        url=receiver.url, salt="ab", message_id="m-1", body=b'{"a":1}', now=NOW, ways=NEAR
    )

    ((headers, body),) = receiver.got
    assert status == 200
    assert body == b'{"a":1}'
    assert headers["webhook-id"] == "m-1"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    secret = base64.b64decode(secret_text("ab").removeprefix("whsec_"))
    signed = f"m-1.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_another_salt_is_another_secret() -> None:
    assert secret_of("a") != secret_of("b")


@pytest.mark.parametrize("status", [301, 404, 500])
def test_any_other_answer_is_no_delivery_and_redirects_are_not_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.status = status

    with pytest.raises(NotReached, match=str(status)):
        send(url=receiver.url, salt="ab", message_id="m", body=b"{}", now=NOW, ways=NEAR)
    assert len(receiver.got) == 1


def test_a_private_address_gets_nothing_although_it_was_stored(receiver: Receiver) -> None:
    with pytest.raises(NotReached, match="private network"):
        send(
            url=receiver.url, salt="ab", message_id="m", body=b"{}", now=NOW,
            ways=Ways(("http",), is_public),
        )  # fmt: skip
    assert receiver.got == []


def test_who_is_away_is_not_reached() -> None:
    with pytest.raises(NotReached, match="ConnectionRefusedError"):
        send(url="http://127.0.0.1:9/", salt="ab", message_id="m", body=b"{}", now=NOW, ways=NEAR)
