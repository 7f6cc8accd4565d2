"""The teacher: Claude, or another model that is asked by OpenAI's API."""

from shammah.teacher.access import Access, called
from shammah.teacher.asking import Teacher, most_tokens
from shammah.teacher.price import price_of

__all__ = ["Access", "Teacher", "called", "most_tokens", "price_of"]
