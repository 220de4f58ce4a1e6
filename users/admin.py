"""Admin pages of accounts and groups."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import ManyToManyField
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from adminkit.pages import ModelAdmin
from users.models import User
from users.services import sign_out_everywhere
from values.folding import folded

# In place of Django's two lists beside each other, which need much room, and which no screen reader can tell apart.
CHECKBOXES: Any = {ManyToManyField: {"widget": UnfoldAdminCheckboxSelectMultipleWidget}}


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]  # unfold has no types
    """Sets somebody's password. Tokens from before are dead at once, as Django's own sessions are."""

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        sign_out_everywhere(user)
        return user


@transaction.atomic
def change_own_password(request: HttpRequest) -> HttpResponse:
    """Show the page on which staff change their own password, or change it, which ends their tokens too."""
    response = admin.site.password_change(request)
    if request.method == "POST" and response.status_code == 302 and isinstance(request.user, User):
        sign_out_everywhere(request.user)
    return response


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User], ModelAdmin[User]):
    form = UserChangeForm
    filter_horizontal = []
    formfield_overrides = CHECKBOXES
    add_form = UserCreationForm
    change_password_form = PasswordForm
    list_display = ["email", "full_name", "is_staff", "is_active", "created_at"]
    list_filter = ["is_staff", "is_active"]
    search_fields = [*folded("email", "full_name"), "=id"]
    ordering = ["-id"]
    readonly_fields = ["created_at", "last_login"]
    fieldsets = [
        (None, {"fields": ["email", "password", "full_name"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Dates", {"fields": ["created_at", "last_login"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "full_name", "usable_password", "password1", "password2"]})]


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin[Group]):
    """Groups of people and what they may do (docs/admin.md)."""

    filter_horizontal = []
    formfield_overrides = CHECKBOXES
