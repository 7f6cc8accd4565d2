"""What a question may be about."""

from enum import StrEnum


class Topic(StrEnum):
    """Sampling asks more about some."""

    GREETING = "greeting"
    GENERAL = "general"
    MATH = "math"
    CODE = "code"
    SCIENCE = "science"
    ARCHITECTURE = "architecture"
    SECURITY = "security"
    PERFORMANCE = "performance"
    OTHER = "other"
