"""Secrets and harmless prompts.

Every secret here is made up at run time, in pieces, so that no scanner takes this file for a leak.
"""

import random
import string

_RANDOM = random.Random(7)
_HEX = "0123456789abcdef"
_LETTERS = string.ascii_letters + string.digits


def some(length: int, alphabet: str = _LETTERS) -> str:
    """Random characters, with a digit among them."""
    return "".join(_RANDOM.choices(alphabet, k=length - 1)) + "7"


_PEM_LINES = "\n".join(some(64) for _ in range(5))
PEM = f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{_PEM_LINES}\n-----END RSA {'PRIVATE'} KEY-----"
PASSWORD = "hunter" + "2!x"
SECRETS = {
    "anthropic": "sk-" + "ant-api03-" + some(90) + "-" + some(6) + "AA",
    "openai": "sk-" + some(48),
    "openai-project": "sk-" + "proj-" + some(60) + "_" + some(20),
    "github": "gh" + "p_" + some(36),
    "github-fine": "github" + "_pat_" + some(22) + "_" + some(59),
    "gitlab": "gl" + "pat-" + some(20),
    "hugging-face": "h" + "f_" + some(34),
    "aws": "AK" + "IA" + some(16, string.ascii_uppercase + "234567"),
    "google": "AI" + "za" + some(35),
    "google-oauth": "ya" + "29." + some(60),
    "slack": "xo" + "xb-" + some(12, string.digits) + "-" + some(24),
    "slack-hook": "https://hooks." + "slack.com/services/T" + some(8) + "/B" + some(8) + "/" + some(24),
    "stripe": "sk" + "_live_" + some(24),
    "stripe-hook": "wh" + "sec_" + some(32),
    "npm": "np" + "m_" + some(36),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + some(70),
    "digital-ocean": "do" + "p_v1_" + some(64, _HEX),
    "sendgrid": "S" + "G." + some(22) + "." + some(43),
    "jwt": "ey" + "J" + some(20) + ".ey" + "J" + some(40) + "." + some(43),
    "telegram": some(10, "123456789") + ":" + "AA" + some(33),
    "private-key": PEM,
}
FRAMES = {
    "prose": "my key is {} , why is it refused?",
    "sentence": "here: {}.",
    "brackets": "({})",
    "code": 'client = Client("{}")',
    "env-file": "A=1\nSOME_VAR={}\nOTHER=1",
    "json": '{{"a": "{}", "b": 1}}',
    "header": "curl -H 'X-Thing: {}' https://example.com",
    "url": "https://example.com/cb?x={}&y=2",
}
TOKEN = some(40)
# A text with a secret that only what stands around it gives away, and that secret.
ASSIGNED = [
    ("password={}", PASSWORD),
    ('password = "{}"', PASSWORD),
    ("DB_PASSWORD='{}'", PASSWORD),
    ("DB_PASSWORD={}", "correct" + "horse"),
    ("docker run -e DB_PASSWORD={} app", "correct" + "horse"),
    ("PGPASSWORD={} psql", PASSWORD),
    ("pass={}", PASSWORD),
    ("passwd: {}", PASSWORD),
    ("Passwort: {}", PASSWORD),
    ("contraseña: {}", PASSWORD),
    ("mot de passe: {}", PASSWORD),
    ("my password is {}, and it fails", PASSWORD),
    ("the password for the db is {}.", PASSWORD),
    ("machine example.com login me password {}", PASSWORD),
    ("db --password {} --verbose", PASSWORD),
    ("mysql -u root -p{}", PASSWORD),
    ("sshpass -p {} ssh example.com", PASSWORD),
    ("curl -u user:{} https://example.com", PASSWORD),
    ('{{"password": "{}"}}', "correct" + "horse"),
    ('curl -d "{{\\"password\\": \\"{}\\"}}" https://example.com', PASSWORD),
    ('password = "{}"', "my long pass phrase 1"),
    ("password='{}'", 'a,b;c1"d'),
    ("postgres://app:{}@db.example.com:5432/app", PASSWORD),
    ("postgres://app:{}@db.example.com:5432/app", "p@ss" + "w0rd"),
    ("postgres://app:{}@db.example.com:5432/app", "abc"),
    ("redis://:{}@localhost:6379", PASSWORD),
    ("api_key={}", some(32, _HEX)),
    ("apikey = '{}'", some(32, _HEX)),
    ("X-Api-Key: {}", some(32, _HEX)),
    ("aws_secret_access_key = {}", TOKEN),
    ("AWS_SECRET_ACCESS_KEY={}", TOKEN),
    ("SECRET_KEY = '{}'", TOKEN),
    ("ENCRYPTION_KEY={}", TOKEN),
    ("client_secret={}", TOKEN),
    ("private_key: {}", TOKEN),
    ("the token is {}", TOKEN),
    ("tool --token={}", TOKEN),
    ("https://example.com/?access_token={}&a=b", TOKEN),
    ('os.environ["API_KEY"] = "{}"', TOKEN),
    ("Authorization: Bearer {}", TOKEN),
    ("Authorization: Basic {}", some(24) + "=="),
    ('headers = {{"Authorization": "Bearer {}"}}', TOKEN),
    ("Cookie: theme=dark; session={}", TOKEN),
]
HARMLESS = [
    "how do i reset my password",
    "what is a token",
    "what is a token and how is it different from a session?",
    "password: how long should it be",
    "the password is wrong! what now?",
    "is a password of 16 characters enough? the password is 16-character",
    "passwordless sudo: how?",
    "the max token is 128000, how do I count tokens?",
    "max_tokens: 128000",
    "a token is approximately 0.75 words",
    "the secret is base64-encoded in kubernetes",
    "password: sha256 or bcrypt?",
    "password: ********",
    "api_key: YOUR_API_KEY",
    'api_key = "your-api-key-here"',
    '{"password": "string", "token": "string"}',
    "password = getpass.getpass('Password: ')",
    "password = os.environ['DB_PASSWORD']",
    "token = jwt.encode(payload, key, algorithm='HS256')",
    "token = tokens[0]",
    "const token: Uint8Array = new Uint8Array(32)",
    "if (password.length < 8) return 'password must have 8 characters'",
    '<input type="password" name="password" placeholder="Enter your password">',
    "SELECT * FROM users WHERE password = ?",
    "export DB_PASSWORD=$(pass show db)",
    "echo $GITHUB_TOKEN | docker login ghcr.io -u me --password-stdin",
    "DATABASE_URL=postgres://user:password@localhost:5432/app",
    "curl -u user:$PASS https://example.com",
    "docker run -u 1000:1000 -p 8080:80 nginx:1.25",
    "mysql -u root -p mydb < dump.sql",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $TOKEN",
    "how do i send an Authorization: Bearer token with curl?",
    f"what does -----BEGIN RSA {'PRIVATE'} KEY----- mean?",
    "ghp_ is the prefix of GitHub tokens, AKIA that of AWS keys",
    "sk-learn or scikit-learn?",
    "git show 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "sha256 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db does not match",
    "uuid 123e4567-e89b-12d3-a456-426614174000 in a log line",
    "/usr/local/lib/python3.11/site-packages/anthropic/_client.py line 378",
    "pwd is /home/user1/project2",
    "chmod 600 ~/.ssh/id_ed25519",
    "https://user@example.com:8080/path?x=1",
    "rsync -avz --delete src/ user@host:/srv/www2/",
    "primary_key=True, unique=True",
    "base64 of 'hello world' is aGVsbG8gd29ybGQ=",
    "pip install torch==2.13.0",
    "first pass: O(n^2) compare",
    "Set-Cookie: theme=dark; HttpOnly",
    "¿cómo cambio mi contraseña? und mein Passwort?",
]
