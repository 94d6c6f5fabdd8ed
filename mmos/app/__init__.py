"""The one part that knows every part: configuration in, a wired App out."""

from mmos.app.answer import Answer
from mmos.app.app import App, open_app
from mmos.app.lifecycle import RunOptions

__all__ = ["Answer", "App", "RunOptions", "open_app"]
