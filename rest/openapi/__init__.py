"""The OpenAPI document: what it says of each operation, how it is put together, and what would break its clients."""
