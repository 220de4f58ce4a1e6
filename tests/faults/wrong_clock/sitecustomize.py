"""Python runs this at the start of a process whose clock is wrong (PYTHONPATH): it mends time.sleep().

Python sleeps until a moment of the monotonic clock (3.11 and newer), and libfaketime 0.9.10 answers that with EINVAL.
"""

import threading
import time


def sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


time.sleep = sleep  # type: ignore[assignment]  # it takes whatever has an __index__, too
