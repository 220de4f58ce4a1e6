"""`make bench`: how fast each part is, beside plain ways to do the same. Nothing of the product imports it.

`make compare`: an order back end as most teams write it, and this one, under the same load and the same faults.
"""
