"""Nothing any more: the model of stored answers, which it brought, is in rest/. Databases have it noted as done."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("events", "0010_traceparent")]
    operations = []
