"""Sending one signed message to an address outside, and nowhere else.

The signature is that of Standard Webhooks (standardwebhooks.com): `webhook-id`,
`webhook-timestamp` and `webhook-signature: v1,` with the base64 of HMAC-SHA256 over
`id.timestamp.body`. The name is looked up once, every address that it has must be public, and the
connection goes to an address that was looked at: a name that answers differently the second time
gains nothing. Redirects are not followed.
"""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput

TIMEOUT = 10.0
MOST_READ = 2000
PORTS = {"https": 443, "http": 80}
_INTERNET = ipaddress.ip_network("2000::/3")
"""All of IPv6 that was ever given out."""


class NotReached(Exception):
    """The message did not arrive, or nobody said that it did; why, for the list of messages."""


def is_public(address: str) -> bool:
    """True for an address on the open internet: not this machine, its network, or a reserved one.

    An IPv6 address that carries an IPv4 one is judged by what it carries too.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if carried is not None and not carried.is_global:
            return False
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if carried is None and ip not in _INTERNET:
            # Site-local, IPv4-compatible, a network's own translation: `is_global` knows them not.
            return False
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True)
class Ways:
    """Over what and to whom messages may go."""

    schemes: tuple[str, ...]
    may_reach: Callable[[str], bool]


OUTSIDE = Ways(("https",), is_public)


def check_address(url: str, *, ways: Ways = OUTSIDE) -> None:
    """raises: InvalidInput for an address to which nothing is ever sent, saying why"""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidInput(_("The address has an impossible port.")) from error
    if parts.scheme not in ways.schemes:
        raise InvalidInput(_("The address must begin with https://."))
    if not parts.hostname or parts.username or parts.password:
        raise InvalidInput(_("The address must name a host, without a user or password."))
    _reachable(parts.hostname, port or PORTS[parts.scheme], ways)


def _reachable(host: str, port: int, ways: Ways) -> str:
    """Return an address of the host. raises: InvalidInput when any of its addresses is private"""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InvalidInput(_("There is no host of this name.")) from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(ways.may_reach(address) for address in addresses):
        raise InvalidInput(_("The address is in a private network; messages only go outside."))
    return addresses[0]


def secret_of(salt: str) -> bytes:
    """Return the secret that belongs to this salt in this installation."""
    return hmac.digest(settings.SECRET_KEY.encode(), f"webhook:{salt}".encode(), hashlib.sha256)


def secret_text(salt: str) -> str:
    """Return the secret as the receiver enters it."""
    return "whsec_" + base64.b64encode(secret_of(salt)).decode()


def signature(*, secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def send(
    *, url: str, salt: str, message_id: str, body: bytes, now: datetime, ways: Ways = OUTSIDE
) -> int:
    """Post the body, signed; return the status of the answer, 200 to 299.

    raises: NotReached when the address is not allowed (any more), away, slow or answers otherwise
    """
    parts = urlsplit(url)
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "SQCore",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(
            secret=secret_of(salt), message_id=message_id, timestamp=timestamp, body=body
        ),
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = None
    try:
        check_address(url, ways=ways)
        connection = _connection(url, ways)
        connection.request("POST", target, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read(MOST_READ)
    except InvalidInput as error:
        raise NotReached(error.message) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotReached(f"{type(error).__name__}: {error}"[:200]) from error
    finally:
        if connection is not None:
            connection.close()
    if not 200 <= answer.status < 300:
        raise NotReached(f"{answer.status} {answer.reason}"[:200])
    return answer.status


def _connection(url: str, ways: Ways) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme]
    address = _reachable(host, port, ways)
    if parts.scheme == "http":
        plain = _Plain(host, port, timeout=TIMEOUT)
        plain.address = address
        return plain
    secure = _Secure(host, port, timeout=TIMEOUT, context=ssl.create_default_context())
    secure.address = address
    return secure


class _Plain(http.client.HTTPConnection):
    """Connects to the address that was looked at, not to what the name says now."""

    address = ""

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), self.timeout)


class _Secure(http.client.HTTPSConnection):
    """The same over TLS; the certificate must be that of the name."""

    address = ""

    def connect(self) -> None:
        bare = socket.create_connection((self.address, self.port), self.timeout)
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]  # where http.client keeps what it was given
        self.sock = context.wrap_socket(bare, server_hostname=self.host)
