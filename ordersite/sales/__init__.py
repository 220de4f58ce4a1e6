"""The admin's pages of sales: charts of the figures that handlers keep, and reports for who asks for them."""
