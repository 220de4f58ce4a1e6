"""What any REST API of this kind needs: problems and their codes, strict input, pages, entity tags, idempotency, rate
limits, and the OpenAPI document (`openapi/`). It knows no app: each app describes its own operations.
"""
