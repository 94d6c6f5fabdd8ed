"""Connects all parts: makes an App from a configuration."""

from mmos.app.answer import Answer, RunFailed
from mmos.app.app import App, open_app
from mmos.app.lifecycle import RunOptions, Watch

__all__ = ["Answer", "App", "RunFailed", "RunOptions", "Watch", "open_app"]
