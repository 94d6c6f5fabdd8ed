"""Connects all parts: makes an App from a configuration."""

from mmos.app.answer import Answer, RunFailed
from mmos.app.app import App
from mmos.app.batch import Task
from mmos.app.lifecycle import RunOptions, Watch
from mmos.app.opening import open_app

__all__ = ["Answer", "App", "RunFailed", "RunOptions", "Task", "Watch", "open_app"]
