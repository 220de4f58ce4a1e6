"""Accounts and sign-in over REST."""

from typing import cast
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rest.access import ANYONE, SIGNED_IN, own_or
from users import services
from users.access import VIEW_ACCOUNTS
from users.models import User
from users.selectors import users_visible_to
from users.serializers import CredentialsSerializer, RegistrationSerializer, TokenSerializer, UserSerializer


class RegistrationView(APIView):
    """POST /users."""

    authentication_classes = ()
    access = {"POST": ANYONE}
    throttle_scope = "registration"

    def post(self, request: Request) -> Response:
        serializer = RegistrationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = services.register(**serializer.validated_data)
        return Response(UserSerializer(user).data, status=201, headers={"Location": f"/api/v1/users/{user.id}"})


class MeView(APIView):
    """GET and PATCH /users/me."""

    access = {"GET": SIGNED_IN, "PATCH": SIGNED_IN}

    def get(self, request: Request) -> Response:
        return Response(UserSerializer(cast(User, request.user)).data)

    def patch(self, request: Request) -> Response:
        user = cast(User, request.user)
        serializer = UserSerializer(user, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if serializer.validated_data:
            services.rename(user, **serializer.validated_data)
        return Response(UserSerializer(user).data)


class UserView(APIView):
    """GET /users/{id}."""

    access = {"GET": own_or(VIEW_ACCOUNTS)}

    def get(self, request: Request, user_id: UUID) -> Response:
        return Response(UserSerializer(get_object_or_404(users_visible_to(cast(User, request.user)), pk=user_id)).data)


class TokenView(APIView):
    """POST and DELETE /auth/token."""

    access = {"POST": ANYONE, "DELETE": SIGNED_IN}
    throttle_scope = "sign-in"

    def get_authenticators(self) -> list[object]:  # type: ignore[override]
        """Look at no token when signing in: an old, dead one must not stand in the way."""
        return [] if self.request.method == "POST" else super().get_authenticators()  # type: ignore[return-value]

    def get_authenticate_header(self, request: Request) -> str:
        """Name the scheme, without which DRF would answer a wrong password with 403."""
        return "Bearer"

    def post(self, request: Request) -> Response:
        serializer = CredentialsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        issued = services.sign_in(**serializer.validated_data)
        return Response(TokenSerializer(issued).data, headers={"Cache-Control": "no-store"})

    def delete(self, request: Request) -> Response:
        request.auth.delete()
        return Response(status=204)


class TokensView(APIView):
    """DELETE /auth/tokens."""

    access = {"DELETE": SIGNED_IN}

    def delete(self, request: Request) -> Response:
        services.sign_out_everywhere(cast(User, request.user))
        return Response(status=204)
