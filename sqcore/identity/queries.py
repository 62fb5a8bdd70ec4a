"""Reading users: whether there is one yet, and how a person wants pages to look."""

from django.http import HttpRequest

from sqcore.identity.models import User

THEME_COOKIE = "sq_theme"


def is_empty_installation() -> bool:
    """True until the first user exists."""
    return not User.objects.exists()


def theme_of(request: HttpRequest) -> str:
    """Return the theme this person or, before log-in, this browser chose."""
    user = getattr(request, "user", None)
    chosen = user.theme if isinstance(user, User) else request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in User.Theme.values else User.Theme.SYSTEM.value
