"""The rate limits of tests: all counted, and none reached, since every test is at one address."""

NAMES = (
    "RATE_LIMIT_USER",
    "RATE_LIMIT_ADDRESS",
    "SIGN_IN_LIMIT_PAIR",
    "SIGN_IN_LIMIT_ADDRESS",
    "SIGN_IN_LIMIT_ACCOUNT",
    "REGISTRATION_LIMIT_ADDRESS",
    "REGISTRATION_LIMIT_ACCOUNT",
    "REGISTRATION_LIMIT_ALL",
)
HIGH = dict.fromkeys(NAMES, "1000000")
