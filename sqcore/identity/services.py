"""Changing users: the first administrator, the own profile, how pages look."""

from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.models import User
from sqcore.identity.queries import is_empty_installation

FIRST_ADMINISTRATOR_SALT = "first-administrator"
FIRST_ADMINISTRATOR_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Display:
    """How a person wants pages to look."""

    language: str
    theme: str


def first_administrator_token() -> str:
    """Return what opens the page that makes the first administrator, for a day.

    Whoever can start the server may have it; it is worth nothing once there is a user.
    """
    return TimestampSigner(salt=FIRST_ADMINISTRATOR_SALT).sign(FIRST_ADMINISTRATOR_SALT)


def check_first_administrator_token(*, token: str) -> None:
    """Refuse unless the token is ours and fresh and the installation has no user yet.

    raises: NotPermitted, Conflict
    """
    signer = TimestampSigner(salt=FIRST_ADMINISTRATOR_SALT)
    try:
        signer.unsign(token, max_age=FIRST_ADMINISTRATOR_SECONDS)
    except SignatureExpired as error:
        raise NotPermitted(
            _("This link is older than a day. Start the server again; it prints a new one.")
        ) from error
    except BadSignature as error:
        raise NotPermitted(
            _("This link is not complete. Copy the whole line that the server printed.")
        ) from error
    if not is_empty_installation():
        raise Conflict(_("This installation has its first administrator already. Log in."))


@transaction.atomic
def create_first_administrator(
    *, token: str, username: str, name: str, email: str, password: str, language: str
) -> User:
    """Make the first user, who may do everything; only with a good token, and only once."""
    check_first_administrator_token(token=token)
    return User.objects.create_superuser(
        username, password, name=name, email=email, language=_known_language(language)
    )


def save_display(*, user: User, language: str | None = None, theme: str | None = None) -> Display:
    """Remember how this person wants pages to look; what is None stays.

    raises: InvalidInput for a language or theme that there is not
    """
    if language is not None:
        user.language = _known_language(language)
    if theme is not None:
        user.theme = _known_theme(theme)
    user.save(update_fields=["language", "theme"])
    return Display(user.language, user.theme)


def save_profile(
    *, user: User, name: str, email: str, gets_mail: bool, language: str, theme: str
) -> Display:
    """Change what a person may change of themselves."""
    user.name = name
    user.email = email
    user.gets_mail = gets_mail
    user.language = _known_language(language)
    user.theme = _known_theme(theme)
    user.save(update_fields=["name", "email", "gets_mail", "language", "theme"])
    return Display(user.language, user.theme)


def _known_language(language: str) -> str:
    if language not in dict(settings.LANGUAGES):
        raise InvalidInput(_("There is no such language here."))
    return language


def _known_theme(theme: str) -> str:
    if theme not in User.Theme.values:
        raise InvalidInput(_("There is no such appearance."))
    return theme
