"""A finding: its level, its subject, what was seen, and the cure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

Level = Literal["error", "warning", "info"]

CODES: dict[str, tuple[str, ...]] = {
    "Configuration": ("config_invalid", "config_unusable", "config_warning"),
    "Hosts": (
        "host_unreachable", "host_timeout", "host_busy", "host_failed", "host_not_understood", "stream_cut", "unauthorized", "request_refused",
        "key_unset", "plain_http_public", "versions_differ", "version_insecure", "version_too_old", "version_known_bad", "clock_skew", "host_stuck",
    ),
    "Models": ("model_missing", "model_remote", "model_differs", "file_missing", "package_missing", "model_stuck", "model_entry_unused", "model_key_shadows", "model_disputed"),
    "Memory": ("model_too_large", "window_too_large", "window_beyond_model", "window_differs", "window_not_settable", "roles_swap", "pinned_out", "spilled", "gpu_unused", "vram_unknown"),
    "Tools": ("tools_not_rendered", "tools_rendered_as_structs", "tool_history_lost", "tools_unchecked", "tools_root_wide", "tools_may_write", "tools_may_run", "tools_may_fetch", "tools_unused"),
    "Roles": ("model_cannot_chat", "model_lacks_tools", "model_lacks_thinking", "role_thinks", "role_too_small", "role_led_by_schema", "interpreter_misplaced", "model_unfit", "channel_worse", "channel_measured", "card_damaged", "role_lacks_capability"),
    "Patterns": ("pattern_does_not_win",),
    "Library": ("library_package_missing", "collection_missing", "embedding_model_missing"),
    "State": (
        "state_missing", "state_unusable", "state_damaged", "state_too_new", "state_too_old", "state_read_only", "state_full", "state_busy", "state_on_network",
        "state_large", "disk_low",
    ),
    "Packages": ("package_slows_start",),
}  # fmt: skip
"""Every code, by the family that it is shown under."""

FAMILIES = tuple(CODES)
_FAMILY = {code: family for family, codes in CODES.items() for code in codes}


@dataclass(frozen=True)
class Pull:
    """Cured by fetching a model."""

    host: str
    model: str


@dataclass(frozen=True)
class MakeFolder:
    """Cured by making a folder."""

    path: Path


Fix = Pull | MakeFolder


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor has to say."""

    level: Level
    code: str
    subject: str
    """What it is about: a host, a role, a model, a key of the configuration, a path."""
    message: str
    cure: str = ""
    """What helps: a command where one does."""
    fix: Fix | None = None
    """How the doctor itself can cure it, where that is safe."""

    @property
    def family(self) -> str:
        return _FAMILY[self.code]

    def to_json(self) -> dict[str, str]:
        return {"level": self.level, "code": self.code, "subject": self.subject, "message": self.message, "cure": self.cure}


error = partial(Finding, "error")
warning = partial(Finding, "warning")
info = partial(Finding, "info")
