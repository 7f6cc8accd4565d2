"""What people call secrets, in many languages: a value that stands near one of these words may be one."""

_PASSWORDS = (
    "pass?w(?:or)?d", "passphrase", "passcode", "passwort", "kennwort", "wachtwoord", "lösenord", "adgangskode",
    "kodeord", "passord", "salasan", "lykilorð", "mots? de passe", "contrase[ñn]",
    "palavra-passe", "parola", "parolă",
    "parool", "paroli", "şifre", "has[łl][oaeu]", "hesl[oaeu]", "lozink", "zapork", "gesl[oaiu]", "jelsz[óa]",
    "slaptažod", "κωδικ", "συνθηματικ", "парол", "лозинк", "סיסמ", "كلمة المرور", "كلمة السر", "كلمة مرور",
    "رمز عبور", "گذرواژه", "पासवर्ड", "পাসওয়ার্ড", "รหัสผ่าน", "mật khẩu", "kata sandi", "kata laluan", "nywila",
    "密码", "密碼", "口令", "パスワード", "暗証番号", "비밀번호", "암호", "패스워드",
    "(?<![a-z])(?:pass|pwd|pw|psk|mdp|senha|clave)(?![a-z])",
)  # fmt: skip
_SECRETS = (
    "(?<!public[ _-])(?<!primary[ _-])(?<!foreign[ _-])(?<!unique[ _-])key(?!board|frame|note|word|stone)",
    "secret", "token", "credential", "auth(?!or)", "bearer", "signature", "session", "cookie", "webhook",
    "conn(?:ection)?[_ -]?str(?:ing)?", "licen[sc]e[ _-]?key", "schlüssel", "geheimnis", "jeton", "clé", "llave",
    "chave", "chiave", "segreto", "sleutel", "nyckel", "nøgle", "klucz", "klíč",
    "anahtar", "ключ", "токен", "секрет", "κλειδί",
    "מפתח", "مفتاح", "कुंजी", "密钥", "密鑰", "令牌", "キー", "トークン", "鍵", "토큰", "비밀 ?키",
    "(?<![a-z])(?:sig|pat|dsn|jwt|otp|totp|mfa|seed|sid)(?![a-z])",
)  # fmt: skip
_PUBLICS = (
    r"sha-?\d{1,3}", "md5", "hash", "digest", "checksum", "fingerprint",
    "integrity", "commit", "revert", "cherry-pick",
    r"revision|\brev\b", "etag", "uuid", "guid", "trace", "span", "request[ _-]?id", "correlation", "object ?id",
    "public", "certificate", "ssh-(?:rsa|dss|ed25519)", "ecdsa", r"data:\w+/",
    "base64,", r"transaction|\btx\b", "address",
    r"block\b", "image", "layer", "docker", "version", r"go\.sum", r"\bh1:", "merge", "branch", "/blob/", "/tree/",
)  # fmt: skip
_LOGINS = (
    "login", "log ?in", "logon", "credentials", "creds", "account", "user(?:name)?", "zugangsdaten", "anmeldedaten",
    "identifiants", "credenciales", "credenziali", "inloggegevens",
)  # fmt: skip

PASSWORD = f"(?:{'|'.join(_PASSWORDS)})"
"""A password's name."""
SECRET = f"(?:{'|'.join(_SECRETS)})"
"""What else is secret: only what looks random is believed to be one."""
PUBLIC = f"(?:{'|'.join(_PUBLICS)})"
"""What looks random, and is for everybody."""
LOGIN = f"(?<![a-z/])(?:{'|'.join(_LOGINS)})"
"""What stands before a name and a password."""

PASSWORD_STEMS = (
    "pass", "pwd", "pw", "psk", "wort", "woord", "lösen", "adgangs", "kodeord", "salas", "lykil", "mot de", "mots de",
    "mdp", "contrase", "senha", "clave", "parol", "parool", "şifre", "hasł",
    "haslo", "hesl", "lozink", "zapork", "gesl",
    "jelsz", "slaptažod", "κωδικ", "συνθηματικ", "парол", "лозинк", "סיסמ", "كلمة",
    "رمز", "گذر", "पासव", "পাসও", "รหัส",
    "mật khẩu", "kata sandi", "kata laluan", "nywila", "密", "口令", "パスワード", "暗証",
    "비밀", "암호", "패스",
)  # fmt: skip
"""One of them is in every text that names a password, in small letters."""

LOGIN_STEMS = ("log", "cred", "account", "user", "daten", "identifi", "inlog")
"""One of them is in every text that names a login."""

STEMS = (
    *PASSWORD_STEMS, "key", "secret", "token", "credential", "auth", "bearer", "login", "zugang", "identifi", "inlog",
    "codes", "phrase", "mnemonic", "net use", "curl", "mysql", "maria", "cookie",
)  # fmt: skip
"""One of them is in every text that names a secret."""
