"""The ledger of movements can be added to, and nothing else."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION inventory_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'movements are append-only: book another one instead' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER inventory_movements_append_only BEFORE UPDATE OR DELETE ON inventory_movement
FOR EACH STATEMENT EXECUTE FUNCTION inventory_refuse_change();
"""

BACKWARDS = """
DROP TRIGGER inventory_movements_append_only ON inventory_movement;
DROP FUNCTION inventory_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
