"""Django's PostgreSQL, with a look at a connection before each request that costs no round trip."""
