"""The process edge: settings, the ASGI application, authentication, the command line and the explorer."""
