"""How many secrets the redactor finds, and how many harmless prompts it touches: providers and framings in two halves.

Which half a provider, a framing or a harmless prompt lies in is told by the hash of its name. Patterns are made by
looking at the *tuning* half alone; of the *held-out* half only the totals are read. `python -m tests.secrets` prints
both.
"""
