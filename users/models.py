"""Accounts."""

from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from uuid_utils.compat import uuid7

from events.names import validate_name


class UserManager(BaseUserManager["User"]):
    """Makes users whose e-mail address is in lower case, as every look-up expects."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a customer; without a password, one who cannot sign in.

        Raises Django's ValidationError where the name is none.
        """
        validate_name(fields.get("full_name", ""))
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a member of staff who may do everything."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user who signs in with this address, in whatever case it was typed."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person, who signs in by e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField("e-mail address", max_length=254, unique=True)
    full_name = models.CharField(max_length=150, blank=True, validators=[validate_name])
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_in_lower_case")]

    def __str__(self) -> str:
        return self.email

    def check_password(self, raw_password: str | None) -> bool:
        """Tell whether this is the password; store it anew where it is stored at an earlier cost.

        Django's own would overwrite a password that was changed meanwhile. Raises PasswordsBusy.
        """

        def store_anew(password: str) -> None:
            stored, self.password = self.password, make_password(password)
            User.objects.filter(pk=self.pk, password=stored).update(password=self.password)

        return check_password(raw_password, self.password, store_anew)

    def clean(self) -> None:
        """Put the address into lower case, whoever typed it (the admin's forms call this)."""
        super().clean()
        self.email = self.email.lower()
