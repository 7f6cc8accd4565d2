"""Servers that speak OpenAI's API: one of them may be the local model's engine, or the teacher."""
