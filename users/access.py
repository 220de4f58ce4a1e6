"""What staff need to see accounts over REST."""

from rest.access import viewing

VIEW_ACCOUNTS = viewing("ordersite", "customer") | viewing("users", "user")  # both pages of the admin show as much
