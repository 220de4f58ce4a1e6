import pytest

from inventory.models import Product
from users.models import User


@pytest.fixture
def ada(ada: User, cup: Product) -> User:
    """A customer who can buy a cup."""
    return ada
