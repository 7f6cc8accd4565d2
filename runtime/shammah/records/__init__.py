"""What the journal keeps, as frozen records: a module a noun."""
