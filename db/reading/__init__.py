"""Reading: loaders, pages, coalesced reads, and the visibility rules."""
