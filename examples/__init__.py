"""Small programs to run beside `make run`, and to begin one's own from."""
