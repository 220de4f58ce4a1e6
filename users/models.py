"""Accounts."""

from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from uuid_utils.compat import uuid7

from values.emails import normal, spellings
from values.names import validate_name


class UserManager(BaseUserManager["User"]):
    """Makes users, and finds them by their address, of which there is one spelling (values/emails.py)."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a customer; without a password, one who cannot sign in.

        Raises Django's ValidationError where the name is none.
        """
        validate_name(fields.get("full_name", ""))
        user = self.model(email=normal(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def with_address(self, address: str) -> "models.QuerySet[User]":
        """Return the account with this address, however it is spelt; two, where an earlier release made two."""
        return self.filter(email__in=spellings(address))

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user who signs in with this address, however it is spelt. Raises DoesNotExist."""
        address = username or ""
        found = sorted(self.with_address(address), key=lambda user: spellings(address).index(user.email))
        if not found:
            raise self.model.DoesNotExist
        return found[0]


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
        """Put the address into its normal spelling, whoever typed it (the admin's forms call this).

        Raises ValidationError where another account has it. An account from before that shares its address with
        another, in another spelling, keeps its own.
        """
        super().clean()
        self.email = normal(self.email)
        stored = User.objects.filter(pk=self.pk).values_list("email", flat=True).first()
        if stored and normal(stored) == self.email:
            self.email = stored
        elif User.objects.with_address(self.email).exclude(pk=self.pk).exists():
            raise ValidationError({"email": "An account with this e-mail address exists."})
