"""The border between runtime and trainer: formats, names and files that both read."""
