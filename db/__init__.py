"""The data layer: tables, queries, loaders and transactions. SQL is written here and nowhere else."""
