"""An API key: read from the environment, sent in one header, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmos.errors import Unauthorized


@dataclass(frozen=True)
class Key:
    """`variable` names it; an empty value means that the variable is not set."""

    variable: str
    value: str = field(default="", repr=False)

    @classmethod
    def of(cls, variable: str, environ: Mapping[str, str]) -> Key:
        return cls(variable, environ.get(variable, "").strip())

    @property
    def said(self) -> str:
        """The variable in a sentence; what is no usual name of one may be a key, put in the wrong place."""
        return self.variable if self.variable.isupper() else "the variable that `api_key_env` names"

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.value}"} if self._is_usable else {}

    def check(self, host: str, model: str) -> None:
        """Nothing is sent without the key that the configuration promises."""
        if not self.value:
            raise Unauthorized(
                f"{host} needs a key, and {self.said} is not set.", next_step="Set it in the environment.", host=host, model=model
            )
        if not self._is_usable:
            raise Unauthorized(
                f"The key for {host} cannot be sent: {self.said} holds signs that no header may hold.",
                next_step="Copy the key once more.",
                host=host,
                model=model,
            )

    @property
    def _is_usable(self) -> bool:
        return bool(self.value) and self.value.isascii() and self.value.isprintable()
