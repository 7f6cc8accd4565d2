"""The doctor: what was looked at, what that means, and the command that mends it; no network, no change."""

from shammah.doctor.finding import Finding, State
from shammah.doctor.rounds import examine

__all__ = ["Finding", "State", "examine"]
