-- The transaction of the POST in bare.py, with no Python at all. Three lines of one piece each.
-- pgbench -n -M prepared -f benchmarks/plain/order.sql -D user=UUID, with TEA-0 to TEA-19 on sale
\set a random(0, 19)
\set b (:a + 1) % 20
\set c (:a + 2) % 20
BEGIN;
SELECT uuidv7() AS order_id, uuidv7() AS event_id, a.currency AS currency, a.price + b.price + c.price AS total,
       a.sku AS a_sku, a.name AS a_name, a.price AS a_price,
       b.sku AS b_sku, b.name AS b_name, b.price AS b_price,
       c.sku AS c_sku, c.name AS c_name, c.price AS c_price,
       CAST(json_build_array(
           json_build_object('sku', a.sku, 'name', a.name, 'quantity', 1,
                             'unit_price', CAST(a.price AS text), 'line_total', CAST(a.price AS text)),
           json_build_object('sku', b.sku, 'name', b.name, 'quantity', 1,
                             'unit_price', CAST(b.price AS text), 'line_total', CAST(b.price AS text)),
           json_build_object('sku', c.sku, 'name', c.name, 'quantity', 1,
                             'unit_price', CAST(c.price AS text), 'line_total', CAST(c.price AS text))
       ) AS text) AS items
FROM inventory_product a, inventory_product b, inventory_product c
WHERE a.sku = 'TEA-' || CAST(:a AS text) AND a.is_active
  AND b.sku = 'TEA-' || CAST(:b AS text) AND b.is_active
  AND c.sku = 'TEA-' || CAST(:c AS text) AND c.is_active
\gset
INSERT INTO orders_order (id, number, user_id, status, currency, total, rejection_reason, created_at, updated_at)
VALUES (:order_id, 'O-' || nextval('orders_order_number'), :user, 'pending', :currency, :total, '', now(), now())
RETURNING number, created_at
\gset
INSERT INTO orders_orderline (id, order_id, position, sku, name, quantity, unit_price, line_total)
VALUES (uuidv7(), :order_id, 0, :a_sku, :a_name, 1, :a_price, :a_price),
       (uuidv7(), :order_id, 1, :b_sku, :b_name, 1, :b_price, :b_price),
       (uuidv7(), :order_id, 2, :c_sku, :c_name, 1, :c_price, :c_price);
INSERT INTO orders_statuschange (id, order_id, from_status, to_status, reason)
VALUES (uuidv7(), :order_id, '', 'pending', '');
INSERT INTO events_subjectcounter (subject, last) VALUES (:order_id, 1);
INSERT INTO events_event (id, source, type, subject, sequence, time, correlation_id, data)
VALUES (:event_id, '/ordersite', 'order.created.v1', :order_id, 1, clock_timestamp(), CAST(uuidv7() AS text),
        jsonb_build_object('order_id', CAST(:order_id AS text), 'number', CAST(:number AS text),
                           'user_id', CAST(:user AS text), 'currency', CAST(:currency AS text),
                           'total', CAST(:total AS text), 'items', CAST(:items AS jsonb)));
INSERT INTO events_delivery (
    id, event_id, event_type, subject, sequence, handler, consumer, queue, lease_seconds, max_attempts, dead_holds,
    batch, state, due_at
)
VALUES (uuidv7(), :event_id, 'order.created.v1', :order_id, 1,
        'inventory.reserve_items', 'inventory', 'inventory', 30, 10, true, 25, 'pending', now()),
       (uuidv7(), :event_id, 'order.created.v1', :order_id, 1,
        'notifications.send_order_received', 'notifications', 'notifications', 30, 10, false, 25, 'pending', now()),
       (uuidv7(), :event_id, 'order.created.v1', :order_id, 1,
        'analytics.track_order', 'analytics', 'analytics', 30, 10, false, 25, 'pending', now());
INSERT INTO orders_storedanswer (user_id, route, key, body_hash, status_code, location, body)
VALUES (:user, 'POST /orders', CAST(gen_random_uuid() AS text), repeat('0', 64), 201,
        '/bare/orders/' || CAST(:order_id AS text),
        convert_to(CAST(json_build_object(
            'id', CAST(:order_id AS text), 'number', CAST(:number AS text), 'status', 'pending',
            'currency', CAST(:currency AS text), 'total', CAST(:total AS text), 'items', CAST(:items AS json),
            'rejection_reason', '', 'created_at', CAST(:created_at AS text), 'updated_at', CAST(:created_at AS text)
        ) AS text), 'UTF8'));
COMMIT;
