"""What pages that join several apps need of their own."""

from users.models import User


class Customer(User):
    """A person as the shop sees them: with their orders and mails, without their rights. Has permissions of its own."""

    class Meta:
        proxy = True
        app_label = "ordersite"  # its permissions, which groups hold, have that name
