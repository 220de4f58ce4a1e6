"""What staff need for the catalogue and its stock, in the admin and over REST."""

from rest.access import needs

ADD_PRODUCTS = needs("inventory.add_product")
CHANGE_PRODUCTS = needs("inventory.change_product")  # their stock is changed on the same page of the admin
