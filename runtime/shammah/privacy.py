"""Secrets stay here: found before a question is forwarded or stored, replaced by placeholders, restored for the eye.

The mapping from placeholder to secret lives in memory alone, for one question.
"""

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from shammah.generation import Chunk
from shammah_convert.chat import Message

# What a password is called, and what a token is; what follows a password's name is believed sooner.
_PASSWORD = r"(?:password|passwd|passphrase|(?<![A-Za-z])pass|pwd|passwort|kennwort|contrase[ñn]a|mot de passe|senha)"
_TOKEN = (
    r"(?:(?:api|access|auth|account|bearer|client|encryption|private|refresh|secret|session|shared|signing)[ _-]?"
    r"(?:access[ _-]?)?(?:key|secret|token)(?:[_-]base)?|secret|token)"
)
# Assigned, in code, configuration or JSON, also where that JSON is quoted itself.
_IS = r"[\"'\]\\]{0,4}\s{0,3}(?:={1,3}|:=|=>|:)\s{0,3}"
_QUOTE = r"(?P<quote>\\?[\"'`])"
# No secrets: variables, templates, calls, paths, types, lengths, and what examples write in place of one.
_NOT = (
    r"(?![<$%{(\[]|\.{3}|\*{3}|x{4}|your[ _-]|~?\.{0,2}/|https?:|[\w.]{1,60}[(\[]"
    r"|(?:sha-?\d+|md5|base64(?:url)?|bcrypt\d?|argon2\w{0,2}|pbkdf2\w{0,9}|utf-?\d+|u?int\d+\w{0,5}|varchar\w{0,5})\b"
    r"|\d+(?:-\d+)?[ _-]?(?:char|bit|byte|digit|letter|word|day|hour|min|sec|month|year)"
    r"|(?:new-|current-)?(?:password|passwort|passwd|secret|token|string|required|optional|hidden|invalid|undefined"
    r"|changeme|example|boolean)[\"'`\s,;]|(?:password|secret|token)\Z)"
)
# Bounded, as every repetition below that can fail after it has run: a long text is read once, not squared.
_ODD = r"(?=[^\s\"']{0,200}(?:\d|[!@#$%^&*]\w))"
_WORD = r"[^\s\"',;`]{5,}[^\s\"',;`.?:)\]}]"  # a full stop ends the sentence, not the secret
_VALUE = rf"(?P<secret>{_NOT}{_ODD}{_WORD})"
# A token ends at `&`: it may be a parameter of a URL.
_PARAMETER = _VALUE.replace("`", "`&")

# The group named `secret` is what goes; without one, the whole match does.
_PATTERNS = (
    # The header alone is a question about keys; a key has a body.
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?=[\s\\rn\"'+>|]{0,40}(?:[A-Za-z-]{1,40}: [^\n]{0,200}\s{1,4}){0,5}[\s>]{0,40}[A-Za-z0-9+/=]{16})"
    r"[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    r"PuTTY-User-Key-File-\d:[\s\S]*?(?:Private-MAC: ?\w+|\Z)",
    r"\bsk-(?=[A-Za-z_-]{0,60}\d)[A-Za-z0-9_-]{20,}",
    r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}",
    r"\bglpat-[A-Za-z0-9_-]{20,}",
    r"\bhf_[A-Za-z0-9]{30,}|\bgsk_[A-Za-z0-9]{30,}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\bhv[sb]\.[A-Za-z0-9_-]{20,}",
    r"\bAGE-SECRET-KEY-1[A-Z0-9]{40,}|\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|\btskey-[a-z]{2,10}-[A-Za-z0-9-]{16,}",
    r"\bdapi[a-f0-9]{32}|\bdiscord(?:app)?\.com/api/webhooks/(?P<secret>\d{10,20}/[\w-]{40,})",
    r"(?i)\blogin\s+\S{1,100}\s+password\s+(?P<secret>\S{4,})",
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{35}",
    r"\bya29\.[A-Za-z0-9_-]{20,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}",
    r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9+/]{24,}",
    r"\bnpm_[A-Za-z0-9]{36}|\bpypi-[A-Za-z0-9_-]{50,}|\bdop_v1_[a-f0-9]{64}",
    r"\bSG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,}",
    r"\beyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    rf"\b[a-z][a-z0-9+.-]{{1,20}}://[^\s:/@]{{0,200}}:{_NOT}(?!(?:pass|pwd|pw|password|secret|token)@)"
    r"(?P<secret>[^\s/\"'<>]{1,200})@",
    r"(?i)\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|basic|token)\s+(?P<secret>(?!token\b)[\w.~+/=-]{8,})",
    r"(?i)\bbearer\s+(?P<secret>(?=[A-Za-z._~+/=-]{0,200}\d)[A-Za-z0-9._~+/=-]{16,})",
    r"(?i)\bcookie:[^\n]{0,200}?=(?P<secret>(?=[A-Za-z%._+/-]{0,200}\d)[\w%.+/=-]{16,})",
    rf"(?i){_PASSWORD}{_IS}{_QUOTE}(?P<secret>{_NOT}(?:\S{{6,200}}?|(?=[^\n\"'`]{{0,200}}\d)[^\n]{{6,200}}?))(?P=quote)",
    rf"(?i){_PASSWORD}{_IS}{_VALUE}",
    rf"(?i){_TOKEN}{_IS}{_QUOTE}(?P<secret>{_NOT}{_ODD}\S{{6,}}?)(?P=quote)",
    rf"(?i){_TOKEN}{_IS}(?=[^\s\"'&]{{12}}|[^\s\"'&]{{0,11}}[!@#$%^*]\w){_PARAMETER}",
    # NAME=value as a shell reads it: there any word is a value.
    rf"(?<!\S)[A-Z0-9_]{{0,60}}(?:PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|TOKEN|SECRET)=(?P<secret>{_NOT}[^\s\"']{{6,}})",
    rf"(?<!\S)[A-Z0-9_]{{0,60}}_KEY=[\"']?(?P<secret>{_NOT}(?=\S{{0,200}}\d)[^\s\"']{{16,}})",
    rf"(?i){_PASSWORD}(?:\s+(?:for|of|to|on)(?:\s+[^\s.?]{{1,40}}){{1,4}}?)?\s+(?:is|was|ist|es|est):?\s+[\"'`]?{_VALUE}",
    rf"(?i){_TOKEN}\s+(?:is|was):?\s+[\"'`]?(?=[^\s\"']{{12}})(?=[\d_-]{{0,200}}[A-Za-z]){_VALUE}",
    rf"(?i){_PASSWORD}\s+[\"'`]?(?=\S{{0,200}}[a-z])(?=\S{{0,200}}\d)(?=\S{{0,200}}[!@#$%^&*]){_VALUE}",
    rf"(?i)--(?:{_PASSWORD}|{_TOKEN})[\s=]+[\"']?{_VALUE}",
    rf"\bcurl\b[^\n]{{0,200}}?\s(?:-u|--user)[\s=]*[\"']?[^\s:\"']{{1,100}}:{_NOT}(?P<secret>[^\s\"']{{4,}})",
    rf"\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n]{{0,200}}?\s-p[\"']?{_NOT}(?P<secret>[^\s\"']{{4,}})",
    rf"\b(?:sshpass|(?:docker|podman)\s+login[^\n]{{0,200}}?)\s+-p\s*[\"']?{_NOT}(?P<secret>[^\s\"']{{4,}})",
)
# Every pattern needs one of these. Compiling them takes 25 ms, which most questions can do without.
_WORTH_A_LOOK = re.compile(
    r"\S{15}|-----|pass|pwd|wort|contrase|mot de|senha|secret|token|key|auth|bearer|cookie|curl|mysql|mariadb|login",
    re.IGNORECASE,
)
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
SHORTEST_ANYWHERE, SHORTEST_WORD = 6, 4
# The plugins' time is quadratic in a line's length: a line is read in windows that overlap by the longest secret.
WINDOW_CHARACTERS = 4096
OVERLAP_CHARACTERS = 512
Span = tuple[int, int]
PLACEHOLDER = re.compile(r"<SECRET_\d+>")
_LONGEST_PLACEHOLDER = len("<SECRET_0000>")


def says_the_same(first: str, second: str) -> bool:
    """Whether two redacted texts differ in nothing but space, and the numbers of their placeholders."""
    return PLACEHOLDER.sub("<SECRET>", first).split() == PLACEHOLDER.sub("<SECRET>", second).split()


@dataclass(slots=True)
class Redactor:
    """Replaces the secrets of one question, the same one by the same placeholder throughout."""

    _placeholders: dict[str, str]
    _taken: set[str]

    def __init__(self) -> None:
        self._placeholders = {}
        self._taken = set()

    @property
    def count(self) -> int:
        """How many different secrets were found so far."""
        return len(self._placeholders)

    def redact(self, text: str) -> str:
        """The text with every secret that is found replaced."""
        self._take(text)
        pieces, done = [], 0
        for start, end in self._spans(text):
            pieces += [text[done:start], self._placeholder(text[start:end])]
            done = end
        return "".join([*pieces, text[done:]])

    def redact_all(self, messages: Iterable[Message]) -> list[Message]:
        """A conversation with every secret replaced."""
        messages = list(messages)
        for message in messages:
            self._take(message.content)
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

    def _take(self, text: str) -> None:
        """Never use a placeholder that somebody typed."""
        self._taken.update(PLACEHOLDER.findall(text))

    def _spans(self, text: str) -> list[Span]:
        """Where secrets stand, in order and apart."""
        ours = set(self._placeholders.values())
        found = [
            span for span in _find(text) if ours.isdisjoint(PLACEHOLDER.findall(text, *span))
        ]  # a text may come twice
        # What was found once is a secret wherever it stands, unless it is so short that words contain it.
        secrets = {text[start:end] for start, end in found} | set(self._placeholders)
        for secret in secrets:
            if len(secret) >= SHORTEST_ANYWHERE:
                found += _occurrences(secret, text)
            elif len(secret) >= SHORTEST_WORD:
                found += [match.span() for match in re.finditer(rf"(?<!\w){re.escape(secret)}(?!\w)", text)]
        return _merged(found)

    def _placeholder(self, secret: str) -> str:
        if secret not in self._placeholders:
            numbers = itertools.count(len(self._placeholders) + 1)
            placeholder = next(p for p in (f"<SECRET_{n}>" for n in numbers) if p not in self._taken)
            self._placeholders[secret] = placeholder
            self._taken.add(placeholder)
        return self._placeholders[secret]


def _find(text: str) -> Iterator[Span]:
    """Where the secrets of a text stand, by our patterns and by detect-secrets' own."""
    if not _WORTH_A_LOOK.search(text):
        return
    for pattern in _compiled():
        for match in pattern.finditer(text):
            yield match.span("secret" if "secret" in pattern.groupindex else 0)
    lines = [part for line in text.splitlines() for part in _windows(line) if _is_worth_a_scan(part)]
    for secret in set(_scan(lines)) if lines else ():
        yield from _occurrences(secret, text)


@functools.cache
def _compiled() -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, _PATTERNS))


def _is_worth_a_scan(line: str) -> bool:
    has_long_word = any(len(word) >= LONG_WORD and any(map(str.isdigit, word)) for word in line.split())
    return has_long_word or _WORTH_A_SCAN.search(line) is not None


def _windows(line: str) -> Iterator[str]:
    step = WINDOW_CHARACTERS - OVERLAP_CHARACTERS
    return (line[start : start + WINDOW_CHARACTERS] for start in range(0, max(1, len(line) - OVERLAP_CHARACTERS), step))


def _occurrences(secret: str, text: str) -> Iterator[Span]:
    start = text.find(secret)
    while start >= 0:
        yield start, start + len(secret)
        start = text.find(secret, start + len(secret))


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap as one: no end of a secret stays behind another."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _scan(lines: Sequence[str]) -> Iterator[str]:
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [{"name": name} for name in _PLUGINS]}):
        for line in lines:
            for found in scan_line(line):
                if found.secret_value and not PLACEHOLDER.search(found.secret_value):
                    yield found.secret_value
