"""What people call secrets, in many languages: a value that stands near one of these words is one."""

PASSWORD = (
    r"(?:pass?w(?:or)?d|passphrase|passcode|passwort|kennwort|wachtwoord|lösenord|adgangskode|kodeord|passord|"
    r"salasan|lykilorð|mot de passe|mots de passe|contrase[ñn]|contrasenya|palavra-passe|parola|parolă|parool|paroli|"
    r"şifre|has[łl][oaeu]|hesl[oaeu]|lozink|zapork|gesl[oaiu]|jelsz[óa]|slaptažod|κωδικ|συνθηματικ|парол|лозинк|סיסמ|"
    r"كلمة المرور|كلمة السر|كلمة مرور|رمز عبور|گذرواژه|पासवर्ड|পাসওয়ার্ড|รหัสผ่าน|mật khẩu|kata sandi|kata laluan|nywila|"
    r"密码|密碼|口令|パスワード|暗証番号|비밀번호|암호|패스워드|(?<![a-z])(?:pass|pwd|pw|psk|mdp|senha|clave)(?![a-z]))"
)
"""A password's name."""

SECRET = (
    r"(?:(?<!public[ _-])(?<!primary[ _-])(?<!foreign[ _-])(?<!unique[ _-])key(?!board|frame|note|word|stone)|secret|token|credential|"
    r"auth(?!or)|bearer|signature|(?<![a-z])(?:sig|pat|dsn|jwt|otp|totp|mfa|seed|sid)(?![a-z])|session|cookie|licen[sc]e[ _-]?key|"
    r"schlüssel|geheimnis|jeton|clé|llave|chave|chiave|segreto|sleutel|nyckel|nøgle|klucz|klíč|anahtar|ключ|токен|секрет|"
    r"κλειδί|מפתח|مفتاح|कुंजी|密钥|密鑰|令牌|キー|トークン|鍵|토큰|비밀 ?키)"
)
"""What else is secret: only what looks random is believed to be one."""

PUBLIC = (
    r"(?:sha-?\d{1,3}|md5|hash|digest|checksum|fingerprint|integrity|commit|revert|cherry-pick|revision|\brev\b|etag|uuid|guid|"
    r"trace|span|request[ _-]?id|correlation|object ?id|public|certificate|ssh-(?:rsa|dss|ed25519)|ecdsa|data:|base64,|"
    r"transaction|\btx\b|address|block\b|image|layer|docker|version|go\.sum|\bh1:|merge|branch|/blob/|/tree/)"
)
"""What looks random, and is for everybody."""
