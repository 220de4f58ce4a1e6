"""The demo shop: what it sells, and who buys there. Plain data."""

from decimal import Decimal

CURRENCY = "EUR"
STAFF = ("admin@example.com", "Sam Keeper")
TEAM = [  # and the group of each, which a migration makes
    ("viewer@example.com", "Vera Watts", "viewer"),
    ("clerk@example.com", "Clara Orde", "order clerk"),
    ("keeper@example.com", "Karl Storey", "stock keeper"),
    ("operator@example.com", "Olga Mendes", "operator"),
    ("analyst@example.com", "Anna Lister", "analyst"),
]
CUSTOMERS = [
    ("ada@example.com", "Ada Lovelace"),
    ("grace@example.com", "Grace Hopper"),
    ("alan@example.com", "Alan Turing"),
]

# sku, name, price, pieces
_TEAS = [
    ("SENCHA", "Sencha, green tea from Japan", "9.80"),
    ("GYOKURO", "Gyokuro, shaded green tea", "24.50"),
    ("GENMAICHA", "Genmaicha, green tea with roasted rice", "8.20"),
    ("LONGJING", "Longjing, pan-fired green tea", "16.40"),
    ("GUNPOWDER", "Gunpowder, rolled green tea", "6.50"),
    ("JASMINE", "Jasmine pearls", "14.90"),
    ("ASSAM", "Assam, malty black tea", "7.90"),
    ("DARJEELING", "Darjeeling, first flush", "18.60"),
    ("CEYLON", "Ceylon, bright black tea", "7.20"),
    ("EARLGREY", "Earl Grey with real bergamot", "8.60"),
    ("KEEMUN", "Keemun, smooth black tea", "11.30"),
    ("LAPSANG", "Lapsang Souchong, smoked", "10.70"),
    ("TIEGUANYIN", "Tie Guan Yin, light oolong", "15.20"),
    ("DAHONGPAO", "Da Hong Pao, roasted oolong", "21.00"),
    ("SILVERNEEDLE", "Silver Needle, white tea", "27.80"),
    ("PUERH", "Pu-erh, ripe, from Yunnan", "17.50"),
    ("ROOIBOS", "Rooibos from the Cederberg", "5.90"),
    ("CHAMOMILE", "Chamomile flowers", "5.40"),
    ("PEPPERMINT", "Peppermint leaves", "4.90"),
]
_WARE = [
    ("POT-GLASS-800", "Glass teapot, 0.8 l", "29.90"),
    ("POT-IRON-600", "Cast-iron teapot, 0.6 l", "64.00"),
    ("POT-KYUSU-300", "Kyusu with side handle, 0.3 l", "48.00"),
    ("CUP-PORCELAIN", "Porcelain cup", "9.50"),
    ("CUP-YUNOMI", "Yunomi, tall cup", "12.00"),
    ("CUP-DOUBLE-WALL", "Double-walled glass", "11.90"),
    ("GAIWAN-WHITE", "Gaiwan, white", "19.00"),
    ("WHISK-CHASEN", "Bamboo whisk for matcha", "22.00"),
    ("SPOON-MEASURE", "Measuring spoon", "4.50"),
    ("STRAINER-STEEL", "Steel strainer", "7.00"),
    ("TIN-100", "Tea tin for 100 g", "6.90"),
    ("KETTLE-1000", "Kettle with thermometer, 1 l", "79.00"),
]
SCARCE_SKU = "TEA-GYOKURO-250"

PRODUCTS = [
    *((f"TEA-{code}-100", f"{name}, 100 g", Decimal(price), 500) for code, name, price in _TEAS),
    *((f"TEA-{code}-250", f"{name}, 250 g", Decimal(price) * 2 + 2, 200) for code, name, price in _TEAS),
    *((sku, name, Decimal(price), 60) for sku, name, price in _WARE),
]
SCARCE_PIECES = 3
ORDERS = 30
