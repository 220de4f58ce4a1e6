"""Every fault that the promise must survive, one test each, on the whole running system. docs/faults.md lists them."""
