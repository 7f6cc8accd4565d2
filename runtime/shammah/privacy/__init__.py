"""Secrets stay here: found before a question is forwarded or stored, replaced by placeholders, restored for the eye.

The mapping from placeholder to secret lives in memory alone, for one question.
"""

from shammah.privacy.redactor import Redactor as Redactor
from shammah.privacy.redactor import check_length as check_length
from shammah.privacy.spans import PLACEHOLDER as PLACEHOLDER
from shammah.privacy.spans import says_the_same as says_the_same
