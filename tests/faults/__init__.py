"""What is promised under faults, and what proves it: `python -m tests.faults`."""
