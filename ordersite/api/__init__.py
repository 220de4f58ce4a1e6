"""What all REST endpoints share: errors, pages, request ids, paths."""
