"""`make bench`: how fast orders are taken and handled, beside plain ways to do the same, in one run."""
