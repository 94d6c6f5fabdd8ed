"""The embedded host: llama.cpp in our own processes, one per loaded model."""

from __future__ import annotations

from mmos.hosts.embedded.files import BUILT_IN
from mmos.hosts.embedded.host import EmbeddedHost

__all__ = ["BUILT_IN", "EmbeddedHost"]
