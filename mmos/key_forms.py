"""Lists the forms of keys of well-known services: by them a key is known wherever it stands."""

from __future__ import annotations

KEY_FORMS: tuple[tuple[str, str], ...] = (
    ("AWS access key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}(?![0-9A-Za-z])"),
    ("GitHub token", r"\bgh[pousr]_[0-9A-Za-z]{36,}|\bgithub_pat_[0-9A-Za-z_]{40,}"),
    ("GitLab token", r"\bgl(?:pat|ptt|rt|dt|cbt|ft|soat|imt)-[0-9A-Za-z_-]{20,}"),
    ("Slack token", r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}|\bxapp-\d-[0-9A-Za-z-]{10,}"),
    ("Stripe key", r"\b(?:[srp]k|whsec)_(?:live|test)_[0-9A-Za-z]{16,}|\bwhsec_[0-9A-Za-z]{24,}"),
    ("Google key", r"\bAIza[0-9A-Za-z_-]{35}|\bya29\.[0-9A-Za-z_-]{20,}|\bGOCSPX-[0-9A-Za-z_-]{20,}"),
    ("token of npm or PyPI", r"\bnpm_[0-9A-Za-z]{36}|\bpypi-AgEI[\w-]{40,}"),
    ("SendGrid key", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    ("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("Telegram token", r"\b\d{8,10}:AA[0-9A-Za-z_-]{33}\b"),
    ("token of Docker", r"\bdckr_(?:pat|oat)_[\w-]{20,}"),
    ("token of a cloud", r"\bdo[opr]_v1_[0-9a-f]{32,}|\blin_api_\w{30,}|\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|\bhv[sb]\.[\w-]{20,}|\btskey-[\w-]{16,}|\bNRAK-[0-9A-Z]{27}"),
    ("age key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}"),
)  # fmt: skip
"""What each is, and a pattern. A form that could also be something else is not here, but in the module that reads such texts."""
