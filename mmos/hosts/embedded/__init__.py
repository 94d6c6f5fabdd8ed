"""The embedded host: llama.cpp in processes of ours, one for each model that is loaded."""

from __future__ import annotations

from mmos.hosts.embedded.files import BUILT_IN
from mmos.hosts.embedded.host import EmbeddedHost

__all__ = ["BUILT_IN", "EmbeddedHost"]
