"""The workshop's page of users."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from sqcore.identity.models import User

admin.site.unregister(Group)


class NewUserForm(AdminUserCreationForm[User]):
    class Meta:
        model = User
        fields = ("username", "name", "email")


class ChangedUserForm(UserChangeForm[User]):
    class Meta:
        model = User
        fields = ("username", "name", "email", "language", "is_active", "is_staff", "is_superuser")


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    """Who can log in. What they may do comes from roles; nobody is deleted, only barred."""

    form = ChangedUserForm
    add_form = NewUserForm
    list_display = ("username", "name", "email", "is_active", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("username", "name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "name", "email", "language")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "is_superuser")}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": ("username", "name", "email", "usable_password", "password1", "password2")},
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
