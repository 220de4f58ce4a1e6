"""Made by `make contracts` from contracts/proto/. Nothing here is written by hand."""
