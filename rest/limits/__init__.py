"""Rate limits: of requests (throttles.py), and the stricter ones of sign-in and registration (sign_in.py).

They are counted on the broker's server, without it per process (counters.py): docs/decisions/0012-rate-limits.md.
"""
