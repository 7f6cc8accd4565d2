"""Secrets stay here: found before a question is forwarded or stored, replaced by placeholders, restored for the eye.

The mapping from placeholder to secret lives in memory alone, for one question.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from shammah.generation import Chunk
from shammah_convert.chat import Message

# The group named `secret` is what goes; without one, the whole match does.
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
        r"\bsk-ant-[A-Za-z0-9_-]{16,}",
        r"\bsk-(?:proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,}",
        r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}",
        r"\bglpat-[A-Za-z0-9_-]{20,}",
        r"\bhf_[A-Za-z0-9]{30,}",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_-]{35}",
        r"\bya29\.[A-Za-z0-9_-]{20,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\b(?:sk|rk|pk|whsec)_(?:live|test)_[A-Za-z0-9]{16,}",
        r"\bnpm_[A-Za-z0-9]{36}|\bpypi-[A-Za-z0-9_-]{50,}|\bdop_v1_[a-f0-9]{64}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        r"[a-z][a-z0-9+.-]*://[^\s:/@]*:(?P<secret>[^\s@/]+)@",
        r"(?i)\bauthorization:\s*(?:bearer|basic|token)\s+(?P<secret>[A-Za-z0-9._~+/=-]{8,})",
        r"(?i)\bbearer\s+(?P<secret>(?=[A-Za-z._~+/=-]*\d)[A-Za-z0-9._~+/=-]{16,})",
        r"(?i)(?:\b|_)(?:password|passwd|passphrase|pwd|secret(?:[_-]?(?:access[_-]?)?key)?|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token"
        r"|token|client[_-]?secret)[\"']?\s*(?:=|:=|:|\bis\b)\s*(?P<quote>[\"']?)(?P<secret>(?=\S*[\d!@#$%^&*])(?![<$%{(])[^\s\"',;]{6,})(?P=quote)",
    )
)
# detect-secrets takes 0.1 s to import; none of its plugins fires on a line without one of these.
_WORTH_A_SCAN = re.compile(r"\S{16,}|://\S+@|pass|pwd|secret|token|key|auth|credential|contrase", re.IGNORECASE)
_PLUGINS = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "CloudantDetector",
    "DiscordBotTokenDetector", "GitHubTokenDetector", "GitLabTokenDetector", "IbmCloudIamDetector",
    "IbmCosHmacDetector", "JwtTokenDetector", "MailchimpDetector", "NpmDetector", "OpenAIDetector",
    "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SoftlayerDetector",
    "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip
PLACEHOLDER = re.compile(r"<SECRET_\d+>")
_LONGEST_PLACEHOLDER = len("<SECRET_0000>")


@dataclass(slots=True)
class Redactor:
    """Replaces the secrets of one question, the same one by the same placeholder throughout."""

    _placeholders: dict[str, str]

    def __init__(self) -> None:
        self._placeholders = {}

    @property
    def count(self) -> int:
        """How many different secrets were found so far."""
        return len(self._placeholders)

    def redact(self, text: str) -> str:
        """The text with every secret that is found replaced."""
        for secret in sorted(set(_find(text)), key=len, reverse=True):
            text = text.replace(secret, self._placeholder(secret, text))
        # What was found once is a secret wherever it stands.
        for secret, placeholder in self._placeholders.items():
            text = text.replace(secret, placeholder)
        return text

    def redact_all(self, messages: Iterable[Message]) -> list[Message]:
        """A conversation with every secret replaced."""
        return [replace(message, content=self.redact(message.content)) for message in messages]

    def restore(self, text: str) -> str:
        """The text with the secrets back in place, for the eyes of the one who typed them."""
        secrets = {placeholder: secret for secret, placeholder in self._placeholders.items()}
        return PLACEHOLDER.sub(lambda match: secrets.get(match[0], match[0]), text)

    def restore_stream(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Restore a stream, wherever chunk borders fall."""
        held = ""
        for chunk in chunks:
            held += chunk.text
            start = held.rfind("<", -_LONGEST_PLACEHOLDER)
            is_open = start >= 0 and ">" not in held[start:] and chunk.end is None
            ready, held = (held[:start], held[start:]) if is_open else (held, "")
            yield replace(chunk, text=self.restore(ready))

    def _placeholder(self, secret: str, text: str) -> str:
        if secret not in self._placeholders:
            number = len(self._placeholders) + 1
            while f"<SECRET_{number}>" in text or f"<SECRET_{number}>" in self._placeholders.values():
                number += 1
            self._placeholders[secret] = f"<SECRET_{number}>"
        return self._placeholders[secret]


def _find(text: str) -> Iterator[str]:
    """Every secret in a text, by our patterns and by detect-secrets' own."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            yield match["secret"] if "secret" in pattern.groupindex else match[0]
    lines = [line for line in text.splitlines() if _WORTH_A_SCAN.search(line)]
    if lines:
        yield from _scan(lines)


def _scan(lines: Sequence[str]) -> Iterator[str]:
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [{"name": name} for name in _PLUGINS]}):
        for line in lines:
            for found in scan_line(line):
                if found.secret_value and not PLACEHOLDER.search(found.secret_value):
                    yield found.secret_value
