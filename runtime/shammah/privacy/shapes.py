"""What secrets look like, and the places in which any word is one."""

import functools
import re
from collections.abc import Iterator

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
NOT = (
    r"(?![<{(\[]|[$%][A-Za-z_({<]|\.{3}|\*{3}|x{4}|your[ _-]|~?\.{0,2}/|https?:|[\w.]{1,60}[(\[]"
    r"|(?:sha-?\d+|md5|base64(?:url)?|bcrypt\d?|argon2\w{0,2}|pbkdf2\w{0,9}|utf-?\d+|u?int\d+\w{0,5}|varchar\w{0,5})\b"
    r"|\d+(?:-\d+)?[ _-]?(?:char|bit|byte|digit|letter|word|day|hour|min|sec|month|year)"
    r"|(?:new-|current-)?(?:password|passwort|passwd|secret|token|string|required|optional|hidden|invalid|undefined"
    r"|changeme|example|boolean)[\"'`\s,;]|(?:password|secret|token)\Z)"
)
# Bounded, as every repetition below that can fail after it has run: a long text is read once, not squared.
_ODD = r"(?=[^\s\"']{0,200}(?:\d|[!@#$%^&*]\w))"
_WORD = r"[^\s\"',;`]{5,}[^\s\"',;`.?:)\]}]"  # a full stop ends the sentence, not the secret
_VALUE = rf"(?P<secret>{NOT}{_ODD}{_WORD})"
# A token ends at `&`: it may be a parameter of a URL.
_PARAMETER = _VALUE.replace("`", "`&")

_GAP = r"(?:[\s,;:>+*.|)-]|\\n){1,8}"
_FIGURED = r"(?=[a-z]{0,11}\d)[0-9a-z]{4,12}"
_WALLET = r"(?!(?:the|and|your|with|for|are|how|was|not|but|from|which|there)\b)[a-z]{3,8}"

_OF_PASSWORDS, _OF_TOKENS = "pass|pwd|kennwort|contrase|senha", "key|secret|token"

# Behind one of the words that are in any text in which it is found, in small letters: looking for a word is a hundred
# times faster. The group named `secret` is what goes; without one, the whole match does.
PATTERNS = (
    # What Unix keeps of a password.
    ("$", r"\$(?:apr1|sha1|argon2(?:id?|d)|scrypt|pbkdf2[\w-]{0,12}|2[abxy]|gy|[1-9y])\$[A-Za-z0-9./$,=+-]{20,300}"),
    # The header alone is a question about keys; a key has a body.
    (
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?=[\s\\rn\"'+>|]{0,40}(?:[A-Za-z-]{1,40}: [^\n]{0,200}\s{1,4}){0,5}[\s>]{0,40}[A-Za-z0-9+/=]{16})"
        r"[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    ("putty-user-key", r"PuTTY-User-Key-File-\d:[\s\S]*?(?:Private-MAC: ?\w+|\Z)"),
    ("sk-", r"\bsk-(?=[A-Za-z_-]{0,60}\d)[A-Za-z0-9_-]{20,}"),
    (
        "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
        r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}",
    ),
    ("glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    (
        "hf_|gsk_|gocspx-|hvs.|hvb.",
        r"\bhf_[A-Za-z0-9]{30,}|\bgsk_[A-Za-z0-9]{30,}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\bhv[sb]\.[A-Za-z0-9_-]{20,}",
    ),
    (
        "age-secret-key|shp|tskey-",
        r"\bAGE-SECRET-KEY-1[A-Z0-9]{40,}|\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|\btskey-[a-z]{2,10}-[A-Za-z0-9-]{16,}",
    ),
    ("dapi", r"\bdapi[a-f0-9]{32}"),
    ("discord", r"\bdiscord(?:app)?\.com/api/webhooks/(?P<secret>\d{10,20}/[\w-]{40,})"),
    # A long name before an address is a token; so is what is random in the address of a webhook.
    ("://", r"://(?P<secret>[A-Za-z0-9_-]{20,200})(?=(?::[^\s/@]{0,200})?@)"),
    (
        "hook",
        r"(?i)\bhttps?://[^\s\"'<>]{0,200}hook[^\s\"'<>]{0,200}?/"
        r"(?P<secret>(?=[A-Za-z_-]{0,100}\d)[A-Za-z0-9_-]{20,200})(?![\w@-])",
    ),
    ("jdbc:oracle", r"(?i)\bjdbc:oracle:\w{1,10}:\w{1,60}/(?P<secret>[^\s@/]{1,200})@"),
    ("identified", r"(?i)\bidentified\s+(?:with\s+\w{1,40}\s+)?by\s+[\"'](?P<secret>[^\"'\n]{4,200})[\"']"),
    (
        "login|auth|connect|credential",
        r"(?i)\b(?:login|authenticate|connect|auth\w{0,10}|credentials?)\s?=?\s?\(\s?[\"'][^\"'\n]{1,100}[\"'],"
        r"\s?[\"'](?P<secret>[^\"'\s]{4,200})[\"']\s?[,)]",
    ),
    (
        "echo|printf",
        r"(?i)\b(?:echo|printf)\s+(?:-n\s+)?[\"']?(?P<secret>[^\s\"'$|]{4,200})[\"']?\s{0,3}\|\s{0,3}"
        r"(?:sudo|\S{0,20}passwd|\S{0,20}\slogin)\b",
    ),
    ("curl", r"\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[\s=]*[\"']?(?P<secret>[^\s:\"'$<{]{12,}):(?=[\s\"']|\Z)"),
    ("/user:", r"(?i)\bnet\s+use\b[^\n]{0,200}?/user:\S{1,100}\s+(?P<secret>[^\s\"'/*]{4,200})"),
    # Codes for the day when a second factor is lost, and the words behind a wallet.
    (
        "code",
        rf"(?i)(?:recovery|backup|rescue|emergency|scratch)[ _-]?codes?(?:\s(?:are|is))?"
        rf"(?P<secret>(?:{_GAP}(?:[0-9a-f]{{4,12}}|{_FIGURED})){{4,80}})",
    ),
    (
        "seed|recovery|mnemonic|backup|wallet",
        rf"(?i)(?:seed|recovery|mnemonic|backup|wallet)[ _-]?(?:phrase|words?|key)?(?:\s(?:is|are))?"
        rf"[\s\"':=`]{{1,8}}(?P<secret>(?:{_WALLET}[\s,]{{1,4}}){{11,23}}{_WALLET})",
    ),
    ("password", r"(?i)\blogin\s+\S{1,100}\s+password\s+(?P<secret>\S{4,})"),
    ("akia|asia|abia|acca", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("aiza", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("ya29.", r"\bya29\.[A-Za-z0-9_-]{20,}"),
    ("xox|xapp-", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}"),
    ("sk_|rk_|pk_|whsec_", r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9+/]{24,}"),
    ("npm_|pypi-|dop_v1_", r"\bnpm_[A-Za-z0-9]{36}|\bpypi-[A-Za-z0-9_-]{50,}|\bdop_v1_[a-f0-9]{64}"),
    ("sg.", r"\bSG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,}"),
    ("eyj", r"\beyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    (
        "://",
        rf"\b[a-z][a-z0-9+.-]{{1,20}}://[^\s:/@]{{0,200}}:{NOT}(?!(?:pass|pwd|pw|password|secret|token)@)"
        r"(?P<secret>[^\s/\"'<>]{1,200})@",
    ),
    (
        "authorization",
        r"(?i)\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|basic|token)\s+(?P<secret>(?!token\b)[\w.~+/=-]{8,})",
    ),
    ("bearer", r"(?i)\bbearer\s+(?P<secret>(?=[A-Za-z._~+/=-]{0,200}\d)[A-Za-z0-9._~+/=-]{16,})"),
    ("cookie:", r"(?i)\bcookie:[^\n]{0,200}?=(?P<secret>(?=[A-Za-z%._+/-]{0,200}\d)[\w%.+/=-]{16,})"),
    (
        _OF_PASSWORDS,
        rf"(?i){_PASSWORD}{_IS}{_QUOTE}(?P<secret>{NOT}(?:\S{{6,200}}?|(?=[^\n\"'`]{{0,200}}\d)[^\n]{{6,200}}?))(?P=quote)",
    ),
    (_OF_PASSWORDS, rf"(?i){_PASSWORD}{_IS}{_VALUE}"),
    (_OF_TOKENS, rf"(?i){_TOKEN}{_IS}{_QUOTE}(?P<secret>{NOT}{_ODD}\S{{6,}}?)(?P=quote)"),
    (_OF_TOKENS, rf"(?i){_TOKEN}{_IS}(?=[^\s\"'&]{{12}}|[^\s\"'&]{{0,11}}[!@#$%^*]\w){_PARAMETER}"),
    # NAME=value as a shell reads it: there any word is a value.
    (
        f"{_OF_PASSWORDS}|{_OF_TOKENS}",
        rf"(?<!\S)[A-Z0-9_]{{0,60}}(?:PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|TOKEN|SECRET)=(?P<secret>{NOT}[^\s\"']{{6,}})",
    ),
    ("_key=", rf"(?<!\S)[A-Z0-9_]{{0,60}}_KEY=[\"']?(?P<secret>{NOT}(?=\S{{0,200}}\d)[^\s\"']{{16,}})"),
    (
        _OF_PASSWORDS,
        rf"(?i){_PASSWORD}(?:\s+(?:for|of|to|on)(?:\s+[^\s.?]{{1,40}}){{1,4}}?)?\s+(?:is|was|ist|es|est):?\s+[\"'`]?{_VALUE}",
    ),
    (_OF_TOKENS, rf"(?i){_TOKEN}\s+(?:is|was):?\s+[\"'`]?(?=[^\s\"']{{12}})(?=[\d_-]{{0,200}}[A-Za-z]){_VALUE}"),
    (
        _OF_PASSWORDS,
        rf"(?i){_PASSWORD}\s+[\"'`]?(?=\S{{0,200}}[a-z])(?=\S{{0,200}}\d)(?=\S{{0,200}}[!@#$%^&*]){_VALUE}",
    ),
    ("--", rf"(?i)--(?:{_PASSWORD}|{_TOKEN})[\s=]+[\"']?{_VALUE}"),
    ("curl", rf"\bcurl\b[^\n]{{0,200}}?\s(?:-u|--user)[\s=]*[\"']?[^\s:\"']{{1,100}}:{NOT}(?P<secret>[^\s\"']{{4,}})"),
    (
        "mysql|maria",
        rf"\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n]{{0,200}}?\s-p[\"']?{NOT}(?P<secret>[^\s\"']{{4,}})",
    ),
    (
        "sshpass|docker|podman",
        rf"\b(?:sshpass|(?:docker|podman)\s+login[^\n]{{0,200}}?)\s+-p\s*[\"']?{NOT}(?P<secret>[^\s\"']{{4,}})",
    ),
)


@functools.cache
def compiled() -> tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]:
    """All of them; this takes 25 ms, which most questions can do without."""
    return tuple((tuple(words.split("|")), re.compile(pattern)) for words, pattern in PATTERNS)


def that_may_match(folded: str) -> Iterator[re.Pattern[str]]:
    """Those for which a text, with its cases folded, has one of the words that they need."""
    return (pattern for words, pattern in compiled() if any(word in folded for word in words))
