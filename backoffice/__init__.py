"""Admin pages that join several apps, the pages of third-party packages, and the navigation.

A page about the rows of one app belongs in that app.
"""
