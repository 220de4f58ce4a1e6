"""The order's states in the database: a sequence for numbers, and a trigger that refuses any step outside the table.

The table is that of orders/states.py; a test compares the two.
"""

from django.db import migrations

FORWARDS = """
CREATE SEQUENCE orders_order_number START 1000001;

CREATE FUNCTION orders_check_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending', 'confirmed'), ('pending', 'rejected'), ('pending', 'cancelled'),
        ('confirmed', 'fulfilled'), ('confirmed', 'cancelled')
    ) THEN
        RAISE EXCEPTION 'order % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER orders_only_known_steps BEFORE UPDATE OF status ON orders_order
FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION orders_check_step();
"""

BACKWARDS = """
DROP TRIGGER orders_only_known_steps ON orders_order;
DROP FUNCTION orders_check_step();
DROP SEQUENCE orders_order_number;
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
