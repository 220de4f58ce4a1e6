"""Who may see dead letters, and decide about them: whoever may on the admin's page."""

from events.letters.dead_letters import DECIDE
from rest.access import needs, viewing

VIEW_DEAD_LETTERS = viewing("events", "deadletter")
DECIDE_DEAD_LETTERS = needs(DECIDE)
