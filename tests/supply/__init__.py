"""What others' code comes with the install: its licences, its hashes, and what is never done with data."""
