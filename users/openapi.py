"""The operations on accounts and tokens."""

from rest.codes import Code
from rest.openapi.described import Answer, Body, Described, Operation
from users.serializers import CredentialsSerializer, RegistrationSerializer, TokenSerializer, UserSerializer

ADA = {
    "id": "0193b1c4-7f3a-7c1e-9a50-2f6d1b8e4c77",
    "email": "ada@example.com",
    "full_name": "Ada Lovelace",
    "created_at": "2026-01-05T09:30:00.123456Z",
}
TOKEN = {
    "token": "c1d2f0a94b7e4f3d8a6b5c0e9f1a2b3c4d5e6f708192a3b4c5d6e7f809a1b2c3",
    "expires_at": "2026-01-19T09:30:00.123456Z",
}

OPERATIONS = {
    "POST /api/v1/users": Operation(
        id="registerUser",
        tag="accounts",
        summary="Register an account",
        description="Makes a customer's account and publishes `user.created`. Anyone may. The address is kept in lower"
        " case, its domain in letters; one that has an account, in whatever spelling, is 400. A password has at"
        " least 10 characters, is not a common one, and is not like the address or the name.",
        body=Body(
            RegistrationSerializer,
            {"account": {"email": "ada@example.com", "password": "correct horse", "full_name": "Ada Lovelace"}},
        ),
        answer=Answer(201, "The account.", UserSerializer, ADA, headers=("Location",)),
        codes=("passwords_busy",),
    ),
    "GET /api/v1/users/me": Operation(
        id="getMe",
        tag="accounts",
        summary="Show your account",
        description="Shows the account that the token belongs to.",
        answer=Answer(200, "Your account.", UserSerializer, ADA),
    ),
    "PATCH /api/v1/users/me": Operation(
        id="updateMe",
        tag="accounts",
        summary="Change your name",
        description="Changes what is given, and answers with the whole account.",
        body=Body(UserSerializer, {"name": {"full_name": "Ada King"}}, partial=True),
        answer=Answer(200, "Your account, changed.", UserSerializer, ADA | {"full_name": "Ada King"}),
    ),
    "GET /api/v1/users/{user_id}": Operation(
        id="getUser",
        tag="accounts",
        summary="Show an account",
        description="Shows an account. Another's is 404, as one that does not exist is.",
        answer=Answer(200, "The account.", UserSerializer, ADA),
    ),
    "POST /api/v1/auth/token": Operation(
        id="signIn",
        tag="sign-in",
        summary="Sign in",
        description="Gives a bearer token for `Authorization: Bearer TOKEN`. Only its hash is stored: this is the one"
        " time that it can be read. An unknown address and a wrong password are answered alike.",
        body=Body(CredentialsSerializer, {"demo": {"email": "ada@example.com", "password": "demo-password"}}),
        answer=Answer(200, "A new token, and until when it is good.", TokenSerializer, TOKEN, headers=("NoStore",)),
        codes=("wrong_credentials", "passwords_busy"),
    ),
    "DELETE /api/v1/auth/token": Operation(
        id="signOut",
        tag="sign-in",
        summary="Sign out",
        description="Makes the token of this request dead at once.",
        answer=Answer(204, "The token is dead."),
    ),
    "DELETE /api/v1/auth/tokens": Operation(
        id="signOutEverywhere",
        tag="sign-in",
        summary="Sign out everywhere",
        description="Makes all of your tokens dead at once, the one of this request too.",
        answer=Answer(204, "All of your tokens are dead."),
    ),
}

CODES = (
    Code(
        "wrong_credentials",
        401,
        "The e-mail address or the password is wrong; which of them is not told.",
        "Ask the person again.",
        "The e-mail address or the password is wrong.",
    ),
    Code(
        "passwords_busy",
        503,
        "So many people are signing in or registering at this moment that the password could not be checked in time.",
        "Wait for the seconds in Retry-After, then send it again. It does not count as a failed sign-in.",
        "Too many people are signing in or registering at this moment. Try again in a few seconds.",
    ),
)
DESCRIBED = Described(
    OPERATIONS,
    tags={
        "sign-in": "Bearer tokens: get one, end one.",
        "accounts": "People: customers register themselves, staff are appointed.",
    },
    ids={"user_id": "The account's id."},
    codes=CODES,
)
