from django.apps import AppConfig


class PostgresConfig(AppConfig):
    name = "postgres"
    label = "postgres_backend"  # "postgres" is django.contrib.postgres
