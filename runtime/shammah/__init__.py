"""Shammah answers on this machine when it can, asks Claude when it must, and learns from both."""

__version__ = "0.1.0"
