"""Reading: loaders, pages, shared reads, and the one door for visibility."""
