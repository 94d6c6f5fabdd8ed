"""Puts a folder on the import path. Python compiles modules from there anew and ignores `.pyc` files."""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType


class _FromSource(SourceFileLoader):
    """Ignores compiled files: they may differ from the source that the user has read."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def put_on_path(folder: Path) -> None:
    """Put the folder first on the import path, once. A virtual environment within the folder imports as usual."""
    if str(folder) in sys.path:
        return

    def finder(path: str) -> FileFinder:
        if not Path(path).is_relative_to(folder) or Path(path).is_relative_to(sys.prefix):
            raise ImportError
        return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromSource, SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, finder)
    for known in [path for path in sys.path_importer_cache if Path(path).is_relative_to(folder)]:
        del sys.path_importer_cache[known]
    sys.path.insert(0, str(folder))
