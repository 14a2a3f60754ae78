"""The process edge: settings, the ASGI application, principals, the command line, the explorer."""
