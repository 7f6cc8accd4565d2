"""The daemon: the model stays warm in an engine of its own, which a supervisor starts again when native code dies."""
