"""Where the secrets of a text stand: by our own patterns and by detect-secrets'."""

import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import unquote

from shammah.privacy import shapes
from shammah.privacy.passwords import find_passwords
from shammah.privacy.spans import PLACEHOLDER, Span
from shammah.privacy.tokens import find_tokens
from shammah.privacy.words import STEMS

# Every pattern needs a long word, or one of the stems. Compiling them takes 25 ms, which most questions can do without.
_WORTH_A_LOOK = re.compile(r"[!-~]{15}|-----")
# detect-secrets takes 0.1 s to import; its plugins need one of these, or a long word with a digit.
_WORTH_A_SCAN = re.compile(r"://\S+@|AKC|xox|pass|pwd|secret|token|key|auth|credential|contrase", re.IGNORECASE)
LONG_WORD = 16
# The patterns above stand for PrivateKeyDetector and BasicAuthDetector, which fire on every mention of a key's
# header and of `user:password@host`, and for JwtTokenDetector and OpenAIDetector.
_PLUGINS = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "CloudantDetector",
    "DiscordBotTokenDetector", "GitHubTokenDetector", "GitLabTokenDetector", "IbmCloudIamDetector",
    "IbmCosHmacDetector", "MailchimpDetector", "NpmDetector",
    "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SoftlayerDetector",
    "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip
# The plugins' time is quadratic in a line's length: a line is read in windows that overlap by the longest secret.
FEW, BEGINNING = 100, 4
WINDOW_CHARACTERS = 4096
OVERLAP_CHARACTERS = 512


def find(text: str) -> Iterator[Span]:
    """Where the secrets of a text stand, by our patterns and by detect-secrets' own."""
    if not _is_worth_a_look(text):
        return
    yield from _find_written(text)
    for start, end in _escaped(text):
        if any(True for _ in _find_written(unquote(text[start:end]))):
            yield start, end
    lines = [part for line in text.splitlines() for part in _windows(line) if _is_worth_a_scan(part)]
    if lines:
        yield from occurrences(set(_scan(dict.fromkeys(lines))), text)


def _is_worth_a_look(text: str) -> bool:
    """Whether there is a long word, or one that is said of secrets."""
    if _WORTH_A_LOOK.search(text):
        return True
    low = text.lower()
    return any(stem in low for stem in STEMS)


def _find_written(text: str) -> Iterator[Span]:
    """What our own patterns find."""
    for pattern in shapes.that_may_match(text.casefold()):
        for match in pattern.finditer(text):
            yield match.span("secret" if "secret" in pattern.groupindex else 0)
    yield from find_tokens(text)
    yield from find_passwords(text)


def _escaped(text: str) -> Iterator[Span]:
    """Values of parameters that hold what an address cannot: they are read as they were before."""
    if "%" in text:
        for match in re.finditer(r"(?<==)[^\s&=\"'<>%]{0,500}%[0-9A-Fa-f]{2}[^\s&=\"'<>]{0,4000}", text):
            yield match.span()


def _is_worth_a_scan(line: str) -> bool:
    has_long_word = any(len(word) >= LONG_WORD and any(map(str.isdigit, word)) for word in line.split())
    return has_long_word or _WORTH_A_SCAN.search(line) is not None


def _windows(line: str) -> Iterator[str]:
    step = WINDOW_CHARACTERS - OVERLAP_CHARACTERS
    return (line[start : start + WINDOW_CHARACTERS] for start in range(0, max(1, len(line) - OVERLAP_CHARACTERS), step))


def occurrences(secrets: Collection[str], text: str) -> Iterator[Span]:
    """Every place where one of some secrets stands; of many, the text is read once for all."""
    if len(secrets) > FEW:
        yield from _of_many(secrets, text)
        return
    for secret in secrets:
        start = text.find(secret)
        while start >= 0:
            yield start, start + len(secret)
            start = text.find(secret, start + len(secret))


def _of_many(secrets: Iterable[str], text: str) -> Iterator[Span]:
    by_beginning: dict[str, dict[int, set[str]]] = {}
    for secret in secrets:
        by_beginning.setdefault(secret[:BEGINNING], {}).setdefault(len(secret), set()).add(secret)
    for start in range(len(text)):
        for length, known in by_beginning.get(text[start : start + BEGINNING], {}).items():
            if text[start : start + length] in known:
                yield start, start + length


def _scan(lines: Iterable[str]) -> Iterator[str]:
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [{"name": name} for name in _PLUGINS]}):
        for line in lines:
            for found in scan_line(line):
                if found.secret_value and not PLACEHOLDER.search(found.secret_value):
                    yield found.secret_value
