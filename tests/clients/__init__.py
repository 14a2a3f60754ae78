"""Clients: the GraphQL clients and the browser that our users come with."""
