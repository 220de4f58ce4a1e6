"""What staff need for orders, in the admin and over REST."""

from rest.access import needs, viewing

VIEW_ORDERS = viewing("orders", "order")
MOVE_ORDERS = needs("orders.change_order")
