"""What any REST API of this kind needs: problems and their codes, strict input, pages, entity tags, idempotency, rate
limits, and the OpenAPI document (`openapi/`). Each app describes its own operations in its module `openapi`.
"""
