"""The events as others read them: the AsyncAPI document, a schema for each type, and a page."""
