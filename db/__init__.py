"""The data: tables, queries, loaders and transactions. The only place where SQL stands."""
