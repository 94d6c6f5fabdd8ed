"""Says which names are packages that many people use, and which are modules of the project at hand."""

from __future__ import annotations

import re

from mmos.quality.tables import names, words

_TRADE = re.compile(
    r"^(?:py|ai|ml|aio|np|pd|tf|lib|dj)|(?:py|kit|lib|api|sdk|ai|ml|nlp|llm|db|io|ify|x|net|pro|plus|ops|hub)$|\d|"
    r"auto|fast|quick|smart|super|ultra|hyper|turbo|easy|simple|magic|mega|tiny|micro|nano|deep|neural|quantum|tensor|torch|keras|numpy|panda|scikit|sklearn|scipy|"
    r"flask|django|fastapi|request|http|json|yaml|xml|csv|html|sql|redis|mongo|aws|azure|google|openai|gpt|lang|chain|agent|llama|crypt|secure|auth|token|hash|graph|geo|stat|math|"
    r"string|text|date|time|file|path|config|cache|async|thread|queue|util|tool|helper|client|parse|format|valid|sanit|match|fuzzy|sort|search|plot|viz|chart|image|vision|audio|video|"
    r"data|frame|matrix|vector|model|learn|train|predict|cluster|regress|optim|solve|calc|convert|stream|socket|server|cloud|deploy|docker|kube|proxy|scrap|crawl|mail|pdf|excel|log|trace|debug|mock|wizard|engine|flow|type|schema|serial|compress|encode"
)
"""What names of packages are made of. The name of a project itself often has none of it."""
_OWN = ("my_", "your_", "test_", "tests_", "example_")
_MADE = ("_test", "_tests", "_pb2", "_pb2_grpc")


def is_package(root: str) -> bool:
    """Whether code imports a well-known package by this name."""
    return root in words("imports") or root.lower() in names("pypi", "packages")


def is_local(root: str) -> bool:
    """Whether projects have a module of their own with this name, or examples have."""
    name = root.lower()
    return name in words("local") or name.startswith(_OWN) or name.endswith(_MADE)


def is_npm(name: str) -> bool:
    """Whether it is a well-known package of npm: the scope alone counts where there is one."""
    return name.split("/")[0] in names("npm", "packages")


def sounds_published(root: str) -> bool:
    """Whether it sounds like a package for everybody, and not like the project at hand."""
    return bool(_TRADE.search(root.lower()))
