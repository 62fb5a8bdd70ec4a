"""The personal link of an expert: its secret, and how often it may be used."""

import hashlib
import secrets

from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from django.utils.crypto import salted_hmac

SENDINGS = 60
WRONG = 30
WINDOW = 600
"""Seconds in which so many sendings by one link, or wrong links from one address, are taken."""
LONGEST = 64


def new_secret() -> str:
    """Return what stands in the address: 256 bits, stored nowhere."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return what is kept of a secret. It is long and random, so nothing slow is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def address_of(secret: str) -> str:
    """Return the full address, as it leaves the house."""
    base: str = settings.BASE_URL
    return base + reverse("sqcore:weighting-expert", args=[secret])


def is_flood(kind: str, who: str, *, most: int, now: float) -> bool:
    """Count one act; True when there are more in this window than anybody needs.

    Only a keyed digest of `who` is kept, in the cache and for ten minutes.
    """
    window = int(now) // WINDOW
    digest = salted_hmac("sqcore.weighting.flood", f"{window}:{kind}:{who}").hexdigest()
    key = f"weighting.flood:{digest}"
    cache.add(key, 0, timeout=WINDOW)
    try:
        return cache.incr(key) > most
    except ValueError:
        return False
