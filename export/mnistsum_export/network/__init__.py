"""The export of mnistsum's own network: what it is asked, its metadata, and its int8 form."""
