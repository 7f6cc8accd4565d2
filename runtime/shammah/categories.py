"""What a question is about, as far as sampling cares: one table, read from the top, of English words."""

import re
from collections.abc import Sequence

from shammah.topics import Topic
from shammah_convert.chat import Message

# Of a long text the beginning says what it is about.
MOST_CHARACTERS = 20_000


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


# The first that is found wins: the dearest mistakes stand first, what is certain before what is vague.
_TABLE = (
    (
        Topic.SECURITY,
        _words(
            r"security|secure(?:ly)?|vulnerab\w*|exploit\w*|encrypt\w*|decrypt\w*|xss|csrf|(?:sql )?injection"
            r"|auth(?:entication|orization)?|oauth|jwt|tls|certificates?|cve|sandbox\w*|privilege|malware|sanitiz\w*"
            r"|secrets?"
        ),
    ),
    (
        Topic.ARCHITECTURE,
        _words(
            r"architect\w*|design patterns?|microservices?|monolith|scal(?:e|ing|able|ability)|trade-?offs?"
            r"|schema design|system design|event[- ]driven|coupling"
        ),
    ),
    (
        Topic.PERFORMANCE,
        _words(
            r"performance|slow(?:er|ly|ness)?|faster|speed(?: it)? up|latency|throughput|optimi[sz]\w*|profil(?:er|ing)"
            r"|benchmark\w*|bottlenecks?|memory leaks?|time complexity|big-?o"
        ),
    ),
    (
        Topic.CODE,
        re.compile(
            r"```|`[^`\n]+`|\b\w+\(\)|^\s*\$ \w|(?<!\w)(?:python|javascript|typescript|java|rust|golang|c\+\+|c#|sql"
            r"|html|css|bash|zsh|shell|terminal|command[- ]line|git|github|docker|kubernetes|regex(?:es)?"
            r"|regular expressions?|code|program(?:s|ming)?|scripts?|compil\w+|debug\w*|exceptions?|stack ?traces?"
            r"|apis?|json|ya?ml|csv|toml|variables?|files?|folders?|director(?:y|ies)|symlinks?|commits?|repo(?:sitor(?:y|ies))?|pip"
            r"|npm|linux|ubuntu|ssh|curl|grep|sed|awk|chmod|cron|localhost"
            r"|listens? on port|databases?|unit tests?|refactor\w*"
            r"|pytest|stash|rebase)(?!\w)",
            re.IGNORECASE | re.MULTILINE,
        ),
    ),
    (
        Topic.MATH,
        re.compile(
            r"\d\s*[+*/^=]\s*\d|\d\s+-\s+\d|(?<!\w)(?:how many|how much|equations?|integrals?|derivatives?|algebra"
            r"|probabilit(?:y|ies)|prove|theorems?|matri(?:x|ces)|sum of|percent(?:age)?|triangles?|square root"
            r"|solve for|calculate|fractions?|geometry|polynomials?|prime numbers?|average of)(?!\w)",
            re.IGNORECASE,
        ),
    ),
    (
        Topic.SCIENCE,
        _words(
            r"physics|chemistry|biology|astronomy|scientists?|atoms?|molecul\w+|cells?|dna|genes?|gravity|energy"
            r"|photosynthesis|planets?|evolution|quantum|chemicals?|enzymes?|proteins?|velocity|acceleration|species"
            r"|climate|orbits?|electrons?|bacteria|viruses|fossils?|magnet\w*"
        ),
    ),
    (
        Topic.GREETING,
        re.compile(
            r"^\W*(?:hi|hello|hey|greetings|good (?:morning|afternoon|evening|night)|thanks?(?: you)?|bye|goodbye"
            r"|how are you)\b[\w\s,'!.?]{0,30}$",
            re.IGNORECASE,
        ),
    ),
    (
        Topic.GENERAL,
        _words(r"the|an?|is|are|was|do(?:es)?|did|can|what|who|why|when|where|which|how|should|of|to|in|for|my|me|you"),
    ),
)
_VAGUE = frozenset({Topic.GREETING, Topic.GENERAL, Topic.OTHER})


def topic(question: str) -> Topic:
    """What one question is about; what is no English, or no sentence, is about something other."""
    text = question[:MOST_CHARACTERS]
    return next((topic for topic, words in _TABLE if words.search(text)), Topic.OTHER)


def of_conversation(context: Sequence[Message]) -> Topic:
    """What the last question is about; one that does not say it goes on about what was asked before."""
    asked = [topic(message.content) for message in reversed(context) if message.role == "user"]
    return next((topic for topic in asked if topic not in _VAGUE), asked[0] if asked else Topic.OTHER)
