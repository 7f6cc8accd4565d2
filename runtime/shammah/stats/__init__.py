"""What became of a home's questions, counted from its journal: as words, as JSON, as a page."""
