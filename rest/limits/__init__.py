"""How often who may ask (docs/decisions/0012-rate-limits.md)."""
