"""The operations page: what the site does, for the people who run it."""
