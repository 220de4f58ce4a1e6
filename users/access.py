"""What staff need to see accounts over REST."""

from events.access import viewing

VIEW_ACCOUNTS = viewing("ordersite", "customer") | viewing("users", "user")  # both pages of the admin show as much
