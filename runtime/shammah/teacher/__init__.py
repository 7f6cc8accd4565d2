"""The teacher: Claude, or another model that is asked by OpenAI's API."""

from shammah.teacher.access import Access, called, called_all
from shammah.teacher.asking import Teacher, most_tokens
from shammah.teacher.price import price_of

__all__ = ["Access", "Teacher", "called", "called_all", "most_tokens", "price_of"]
