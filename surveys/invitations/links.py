"""What the secret of the installation makes: links, the marks of used ones, and who is drawn.

Nothing here is stored. See docs/decisions/invitations-and-anonymity.md.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b

from django.conf import settings
from django.urls import reverse

from surveys.invitations.models import REF_LENGTH, Invitation

PROOF_LENGTH = 22
TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{REF_LENGTH + PROOF_LENGTH}}}")


def token_of(invitation: Invitation) -> str:
    """Return what stands in the address: the reference and 132 bits that prove it."""
    about = (invitation.campaign_id, invitation.encounter_key, invitation.issue, invitation.ref)
    return invitation.ref + _text(_digest(b"sq.invite", *about))[:PROOF_LENGTH]


def address_of(invitation: Invitation) -> str:
    """Return the full address, as it leaves the house."""
    base: str = settings.BASE_URL
    return base + reverse("surveys:invitations-answer", args=[token_of(invitation)])


def is_token_of(invitation: Invitation, token: str) -> bool:
    return hmac.compare_digest(token_of(invitation).encode(), token.encode())


def spent_digest(campaign_id: int, encounter_key: str) -> str:
    """Return the mark that the link of this encounter was used.

    Whichever issue of the link was used: the encounter answers once.
    """
    return _text(_digest(b"sq.spent", campaign_id, encounter_key))


def lot_of(campaign_code: str, encounter_key: str) -> float:
    """Return the number in [0, 1) that decides whether an encounter is drawn: always the same one,
    and in another campaign another one."""
    digest = _digest(b"sq.lot", campaign_code, encounter_key)
    return int.from_bytes(digest[:6], "big") / 2**48


def _digest(purpose: bytes, *about: object) -> bytes:
    # What is told apart by its length first cannot run together.
    parts = [str(part).encode() for part in about]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return blake2b(message, digest_size=32, key=_key(settings.SECRET_KEY), person=purpose).digest()


@lru_cache(maxsize=2)
def _key(secret: str) -> bytes:
    return blake2b(secret.encode(), digest_size=64, person=b"sq.invitations").digest()


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
