"""The modules into which faults are put, each with the tests that are to see them: the fast ones first."""

BUS = "events/tests/test_{}.py".format

MODULES = {
    "orders/services.py": (
        "orders/tests/test_cancel_and_fulfil.py",
        "orders/tests/test_place_order.py",
        "ordersite/tests/test_compensations.py",
        "ordersite/tests/test_query_counts.py",
    ),
    "inventory/stock.py": (
        "inventory/tests/test_release_and_ship.py",
        "inventory/tests/test_reserve.py",
        "inventory/tests/test_adjust_stock.py",
    ),
    "rest/idempotency.py": ("orders/tests/test_idempotency.py", "rest/tests/test_repeated_requests.py"),
    "events/handling/deliveries.py": tuple(
        map(BUS, ("tokens", "parking", "sweep", "batches", "run_effect", "run_outside", "waits", "outcomes"))
    ),
    "events/handling/failures.py": tuple(
        map(BUS, ("tokens", "waits", "unknown_handler", "parking", "failed_attempts", "sweep", "run_effect"))
    ),
    "events/sql.py": tuple(map(BUS, ("sql", "claim", "sweep", "parking", "publish", "run_effect", "failed_attempts"))),
    "events/parking.py": tuple(map(BUS, ("parking", "batches", "dead_letters"))),
    "events/publishing.py": tuple(map(BUS, ("publish", "batches"))),
    "events/relaying/claims.py": tuple(map(BUS, ("claim", "relay", "floors"))),
    "events/relaying/sweeps.py": tuple(
        map(BUS, ("sweep", "parking", "failed_attempts", "outcome_log", "tally", "batches", "floors"))
    ),
    "events/letters/dead_letters.py": tuple(map(BUS, ("dead_letters", "decisions", "deadletters_command"))),
    "events/handling/outcomes.py": tuple(map(BUS, ("outcomes", "waits", "run_effect", "run_outside", "outcome_log"))),
    "events/relaying/batching.py": tuple(map(BUS, ("batches", "claim", "relay"))),
    "events/relaying/pacing.py": tuple(map(BUS, ("pacing", "relay"))),
    "events/relaying/waiting.py": tuple(map(BUS, ("waiting", "relay"))),
    "events/wakeup.py": tuple(map(BUS, ("waiting", "publish"))),
    "notifications/transmission.py": (
        "notifications/tests/test_transmission.py",
        "notifications/tests/test_notify.py",
    ),
    "events/handling/batch.py": tuple(map(BUS, ("batches", "run_effect", "run_outside", "outcome_log", "tracing"))),
    "events/handling/runner.py": tuple(map(BUS, ("run_effect", "run_outside", "batches", "outcome_log", "tracing"))),
}
