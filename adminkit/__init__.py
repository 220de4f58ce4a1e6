"""Building blocks of admin pages: the base class, lists, filters, exports, templates and styles. It knows no model.

The pages of one app are in its admin.py; pages that join several apps are in backoffice/.
"""
