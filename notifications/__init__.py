"""E-mail to customers, each mail kept as a row."""
