"""The REST API of the dead letters, for sites that have rest/. No other part of the bus imports it."""
