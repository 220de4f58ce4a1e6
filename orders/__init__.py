"""Orders and their life: placed, confirmed or rejected, cancelled, fulfilled; over REST and in the admin.

Stock is inventory's, mail is notifications', figures are analytics'; orders reach them through events alone. Prices are
read from inventory when an order is placed.
"""
