"""Scripts of developers, and what `make contracts` runs. Nothing of the product imports them."""
