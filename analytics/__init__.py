"""Sales figures kept up to date by event handlers, their pages, reports as files, and the daily summary.

The bus's own figures (deliveries, backlog, failures) are in events/statistics/ and events/operations/.
"""
