"""The operations on dead letters."""

from events.rest.serializers import (
    DiscardSerializer,
    LetterQuerySerializer,
    LetterSerializer,
    ReplaySerializer,
    WholeLetterSerializer,
)
from rest.codes import Code
from rest.openapi.described import NOTHING, Answer, Body, Described, Operation

LETTER = {
    "id": "0193b1c5-02b6-7bb0-a3e8-40d1f2c3b4a5",
    "queue": "notifications.dlq",
    "handler": "notifications.send_welcome",
    "event_id": "0193b1c4-7f3b-7e22-8d11-1a2b3c4d5e6f",
    "event_type": "user.created.v1",
    "subject": "0193b1c4-7f3a-7c1e-9a50-2f6d1b8e4c77",
    "status": "dead",
    "reason": "attempts_exhausted",
    "attempts": 10,
    "max_attempts": 10,
    "error_type": "smtplib.SMTPDataError",
    "error_message": "(451, b'try again later')",
    "fingerprint": "9f2c4e6a8b0d1f35",
    "created_at": "2026-01-05T09:30:00.123456Z",
    "handled_at": "2026-01-05T09:52:00.123456Z",
}
WHOLE = LETTER | {
    "correlation_id": "0193b1c4-7f39-7001-9c3d-5e4f6a7b8c9d",
    "data": {"user_id": "0193b1c4-7f3a-7c1e-9a50-2f6d1b8e4c77"},
    "traceback": "Traceback (most recent call last): ...",
    "failed_attempts": [
        {
            "number": 10,
            "started_at": "2026-01-05T09:51:58.123456Z",
            "ended_at": "2026-01-05T09:52:00.123456Z",
            "worker": "notifications@web-1",
            "error_type": "smtplib.SMTPDataError",
            "error_message": "(451, b'try again later')",
        }
    ],
    "decisions": [],
    "discard_does": "nothing else",
    "flower_url": "http://127.0.0.1:5555/task/0193b1c5-02b6-7bb0-a3e8-40d1f2c3b4a5",
}
REPLAY = {"action": "replay", "by": "admin@example.com", "reason": "", "at": "2026-01-05T10:00:00.123456Z"}
REPLAYED = WHOLE | {"status": "pending", "reason": "", "attempts": 0, "handled_at": None, "decisions": [REPLAY]}
DISCARD = REPLAY | {"action": "discard", "reason": "the account was a test"}
DISCARDED = WHOLE | {"status": "discarded", "reason": "", "decisions": [DISCARD]}

OPERATIONS = {
    "GET /api/v1/dead-letters": Operation(
        id="listDeadLetters",
        tag="dead letters",
        summary="List dead letters",
        description="Lists what waits for a person, in the order of the events; with `status`, what became of letters.",
        query=LetterQuerySerializer,
        answer=Answer(200, "A page of dead letters.", LetterSerializer, LETTER, page=True),
    ),
    "GET /api/v1/dead-letters/{letter_id}": Operation(
        id="getDeadLetter",
        tag="dead letters",
        summary="Show a dead letter",
        description="Shows a letter whole, also one that was replayed or discarded.",
        answer=Answer(200, "The letter.", WholeLetterSerializer, WHOLE),
    ),
    "POST /api/v1/dead-letters/{letter_id}/replay": Operation(
        id="replayDeadLetter",
        tag="dead letters",
        summary="Replay a dead letter",
        description="Sends the delivery again, from its first attempt.",
        body=NOTHING,
        answer=Answer(202, "The letter, on its way again.", WholeLetterSerializer, REPLAYED),
        codes=("not_dead",),
    ),
    "POST /api/v1/dead-letters/{letter_id}/discard": Operation(
        id="discardDeadLetter",
        tag="dead letters",
        summary="Give a dead letter up",
        description="Gives the delivery up for good. Where the books need the step, `discard_does` says what is done"
        " in its place.",
        body=Body(DiscardSerializer, {"why": {"reason": "the account was a test"}}),
        answer=Answer(200, "The letter, discarded.", WholeLetterSerializer, DISCARDED),
        codes=("not_dead",),
    ),
    "POST /api/v1/dead-letters/replay": Operation(
        id="replayDeadLetters",
        tag="dead letters",
        summary="Replay many dead letters",
        description="Replays those of a handler, of an event type, of both, or all, and says how many.",
        body=Body(
            ReplaySerializer,
            {"one handler": {"handler": "notifications.send_welcome"}, "all": {}},
            required=False,
        ),
        answer=Answer(
            202,
            "How many are on their way again.",
            {"type": "object", "properties": {"count": {"type": "integer", "minimum": 0}}, "required": ["count"]},
            {"count": 3},
        ),
    ),
}

CODES = (
    Code(
        "not_dead",
        409,
        "The delivery is not, or no longer, a dead letter: somebody may have decided already.",
        "Read it again.",
        "Only a dead letter can be replayed or discarded, and this is not one, or no longer one.",
    ),
)
DESCRIBED = Described(
    OPERATIONS,
    tags={"dead letters": "Work that kept failing and waits for a person, for staff."},
    ids={"letter_id": "The id of the delivery that is, or was, a dead letter."},
    codes=CODES,
)
