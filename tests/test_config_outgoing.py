"""What members of patterns send to other machines: their texts, and the variables in them."""

from __future__ import annotations

from mmos.config.load import from_text
from mmos.config.outgoing import outgoing_variables

TEXT = """\
orchestration:
  servers: {far: {url: "http://far:11434"}}
  arbiter: {model: m}
  patterns:
    p:
      pattern: ensemble
      aggregation_prompt: "With ${SECRET_A}"
      aggregator_model: "${JUDGE_MODEL:-m}"
      models: [{model: "${SOME_MODEL:-m}", server: far, system_prompt: "With ${SECRET_B}"}, {model: m, prompt: "${SECRET_C}"}]
"""


def test_a_variable_in_the_words_of_a_member_leaves_this_machine():
    found = outgoing_variables(from_text(TEXT, "o.yaml", {}))
    assert [(one.variable, one.key) for one in found] == [
        ("SECRET_B", "orchestration.patterns.p.models[0].system_prompt"),
        ("SECRET_C", "orchestration.patterns.p.models[1].prompt"),
        ("SECRET_A", "orchestration.patterns.p.aggregation_prompt"),
    ]
