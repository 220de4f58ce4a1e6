"""What the accounts' endpoints take and give."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from rest.strict import Strict
from users.models import User
from values.emails import LONGEST, normal
from values.names import validate_name


class UserSerializer(Strict, serializers.ModelSerializer[User]):
    """An account as its owner sees it."""

    class Meta:
        model = User
        fields = ["id", "email", "full_name", "created_at"]
        read_only_fields = ["id", "email", "created_at"]
        extra_kwargs = {
            "email": {
                "help_text": "The address to sign in with, in lower case; its domain in letters, not in punycode."
            },
            "full_name": {"help_text": "How the person is called; may be empty. One line, without `://`."},
        }


class AddressField(serializers.EmailField):
    """An e-mail address, put into its normal spelling before it is looked at: that makes a few letters longer."""

    def to_internal_value(self, data: Any) -> str:
        """Return the address in its normal spelling."""
        return normal(super().to_internal_value(data))


class RegistrationSerializer(Strict):
    """A new account."""

    email = AddressField(
        max_length=LONGEST,
        help_text="The address to sign in with. It is kept in lower case, with its domain in letters, not in punycode.",
    )
    password = serializers.CharField(
        max_length=128,
        trim_whitespace=False,
        help_text="At least 10 characters.",
        style={"openapi": {"minLength": 10}},
    )
    full_name = serializers.CharField(
        max_length=150,
        required=False,
        allow_blank=True,
        default="",
        validators=[validate_name],
        help_text="How the person is called. One line, without `://`.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Hold the password against the rules, which may look at the rest of the account."""
        try:
            validate_password(attrs["password"], User(email=attrs["email"], full_name=attrs["full_name"]))
        except DjangoValidationError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
        return attrs


class CredentialsSerializer(Strict):
    """What a person signs in with."""

    email = serializers.CharField(max_length=254, help_text="The address of the account, in any spelling.")
    password = serializers.CharField(max_length=128, trim_whitespace=False, help_text="Its password.")


class TokenSerializer(serializers.Serializer[Any]):
    """A bearer token."""

    token = serializers.CharField(help_text="What to send as `Authorization: Bearer TOKEN`. Treat it as a password.")
    expires_at = serializers.DateTimeField(help_text="From then on it is dead.")
