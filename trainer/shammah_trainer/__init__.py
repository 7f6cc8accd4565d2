"""The trainer: torch in a child process, from a job folder to an adapter."""
