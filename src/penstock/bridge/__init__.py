"""Applications behind Lambda's events: ASGI and WSGI."""
