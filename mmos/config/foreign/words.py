"""Lists the words that files of other tools use for kinds of servers, shapes of patterns, and ways to count."""

from __future__ import annotations

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
    "ollama": "ollama",
    "openai": "openai", "openai_compatible": "openai", "openai_api": "openai", "lmstudio": "openai", "lm_studio": "openai", "vllm": "openai",
    "llama_server": "openai", "localai": "openai", "text_generation_webui": "openai",
    "direct": "embedded", "llama_cpp": "embedded", "llamacpp": "embedded", "gguf": "embedded", "embedded": "embedded",
}  # fmt: skip
"""The kinds of servers by the words for them."""

SHAPES: Mapping[str, str] = {
    "sequential": "sequential", "sequential_with_validation": "sequential", "pipeline": "sequential", "chain": "sequential",
    "ensemble": "ensemble", "parallel_ensemble": "ensemble", "voting": "voting", "vote": "voting", "parallel": "parallel",
    "specialized": "specialized", "specialised": "specialized", "intelligent": "specialized",
}  # fmt: skip
"""The shapes of patterns by the words for them."""
VALIDATED = "sequential_with_validation"

VOTINGS: Mapping[str, str] = {
    "majority": "majority", "plurality": "majority", "simple": "majority", "weighted": "weighted", "ranked": "ranked", "borda": "ranked",
    "auto": "auto",
}  # fmt: skip

AGGREGATES: Mapping[str, str] = {
    "synthesize": "synthesize", "synthesis": "synthesize", "merge": "synthesize", "combine": "synthesize",
    "vote": "vote", "voting": "vote", "majority": "vote", "majority_vote": "vote",
    "best": "best", "select_best": "best", "best_of": "best", "weighted": "weighted", "best_of_n": "best_of_n", "consensus": "consensus",
}  # fmt: skip

CHOICES: Mapping[str, str] = {"best": "best", "select_best": "best", "best_of": "best", "best_of_n": "best_of_n", "consensus": "consensus"}
"""Words for a way to vote in which nobody counts votes: the aggregates that they mean."""

SELECTIONS: Mapping[str, str] = {
    "rule_based": "rules", "rules": "rules", "score": "score", "scored": "score", "performance": "score", "performance_based": "score",
    "learning": "learning", "adaptive": "learning", "learned": "learning",
}  # fmt: skip

USUAL_VOTING = "majority"
"""How these tools count votes if the file does not say it."""
