"""Sales figures, kept up to date by event handlers."""
