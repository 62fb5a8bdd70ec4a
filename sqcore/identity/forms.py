"""Forms about the own account."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.password_validation import (
    password_validators_help_texts,
    validate_password,
)
from django.utils.translation import gettext_lazy as _

from sqcore.identity.models import User

if TYPE_CHECKING:
    UserForm = forms.ModelForm[User]
else:
    UserForm = forms.ModelForm


class LogInForm(AuthenticationForm):
    """User name and password; says the same whichever of them is wrong."""

    error_messages = {
        "invalid_login": _("User name and password do not belong together. Check both."),
        "inactive": _("User name and password do not belong together. Check both."),
    }


class DisplayForm(forms.Form):
    """The language and the appearance of pages, each on its own."""

    language = forms.ChoiceField(choices=settings.LANGUAGES, required=False)
    theme = forms.ChoiceField(choices=User.Theme, required=False)


class ProfileForm(UserForm):
    """What a person may change of themselves."""

    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)

    class Meta:
        model = User
        fields = ("name", "email", "gets_mail", "language", "theme")
        labels = {
            "name": _("Your name"),
            "email": _("E-mail"),
            "gets_mail": _("Send me notices by e-mail"),
            "theme": _("Appearance"),
        }
        help_texts = {"email": _("For notices, and to get a new password when you forget yours.")}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }


class FirstAdministratorForm(UserForm):
    """The person who sets the installation up."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password_again = forms.CharField(
        label=_("Password, once more"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = User
        fields = ("name", "username", "email")
        labels = {"name": _("Your name"), "username": _("User name"), "email": _("E-mail")}
        help_texts = {
            "username": _("What you log in with: letters, digits and @ . + - _"),
            "email": _("To get a new password when you forget yours."),
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "username": forms.TextInput(attrs={"autocomplete": "username"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = " ".join(password_validators_help_texts())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        first, again = cleaned.get("password"), cleaned.get("password_again")
        if first and again and first != again:
            self.add_error("password_again", _("The two passwords differ."))
        return cleaned

    def _post_clean(self) -> None:
        # After the model's own checks, so that the password is compared with name and e-mail.
        super()._post_clean()  # type: ignore[misc]  # the stubs leave this hook out
        password = self.cleaned_data.get("password")
        if password:
            try:
                validate_password(password, self.instance)
            except forms.ValidationError as error:
                self.add_error("password", error)
