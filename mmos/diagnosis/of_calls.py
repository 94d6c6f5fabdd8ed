"""The signs of failed tool calls: what checkers of calls, validators of schemas, servers and agent frameworks say about them."""

from __future__ import annotations

from mmos.diagnosis.signs import Sign

_CALL = r"(tool|function)[ _-]?call(s|ing)?"
_NOT = r"((is|was|are|were|does|do|did|has|have|been|be) )?(not|n't)"
_THING = r"(parameter|argument|arg|param|field|property|key)"
_KIND = r"(string|number|integer|boolean|array|object|null|list|dict|dictionary|float|int|str|bool)"
_ARGUMENT = r"'?(?P<argument>[\w.\[\]-]{1,60})'?"
_BEGIN = r"(?<![\w.\[\]-])"
"""The beginning of a name. Without it, a search would begin at each of its characters."""
_TOOL = r"'?(?P<tool>[\w./:-]{1,80})'?"
_OTHER_TOOL = r"'?(?P<other_tool>[\w./:-]{1,80})'?"

# The verdict of a checker comes first: the call that it quotes may speak of anything.
CHECKED = (
    Sign("CALL_WHEN_NONE_EXPECTED", (r"decode (the )?ast when it should( not|n't| be empty)",), confidence=0.95),
    Sign(
        "CALL_WHEN_NONE_EXPECTED",
        (
            rf"(expected|wanted) (no|zero|0) ({_CALL}|calls?\b)",
            rf"should (have )?(made?|be) (no|zero|0) ({_CALL}|calls?\b)",
            rf"no ({_CALL}|calls?) (was |were |is |are )?(expected|needed|required)",
            r"(should|must|did) not (have )?(call|use|invoke)(d|ed)? (a|any) (tool|function)",
            rf"{_CALL}[^\n]{{0,20}} (although|but|when|while) none (was|were|is|fits|applies)",
            r"(tool|function)[^\n]{0,20} (irrelevant|not relevant) (to|for) the (question|task|request)",
            rf"(expected|wanted) a (plain |text )*(answer|reply|response)[^\n]{{0,40}}{_CALL}",
            rf"unexpected {_CALL}:? ",
            rf"tool_choice[ =:']{{1,4}}none[^\n]{{0,60}}(called|{_CALL})",
        ),
        unless=rf"unexpected {_CALL} (format|argument|parameter|syntax)",
        confidence=0.85,
    ),
    Sign("TOOL_CALL_WRONG_FORMAT", (r"did not (output|answer|respond|reply)[^\n]{0,20} in the (specified|expected|required|requested|right) (output )?format",), confidence=0.95),
    Sign(
        "TOOL_CALL_WRONG_FORMAT",
        (
            rf"{_CALL}[^\n]{{0,40}} (in|has|uses|used) (the |a |an )?(wrong|another|unexpected|different|unsupported) (output )?format",
            rf"(wrong|unexpected|unsupported) {_CALL} format",
            r"invalid format: missing 'action",
            r"missing 'action(:| input:)' after",
            rf"expected (a )?(json|xml|yaml|python(ic)?|native) {_CALL}[^\n]{{0,20}}(got|found|received)",
        ),
        confidence=0.85,
    ),
    Sign(
        "TOOL_CALL_UNPARSEABLE",
        (
            r"failed to decode (the )?(ast|exec)",
            rf"(could not|cannot|can't|unable to|failed to) (decode|parse|read) (the )?(model('s)? )?(output|answer|reply|response)[^\n]{{0,20}} as (a |an |any )?{_CALL}",
        ),
        confidence=0.95,
    ),
    Sign(
        "WRONG_NUMBER_OF_CALLS",
        (
            r"wrong number of ((tool |function )?calls?|functions?)\b",
            r"(expected|wanted) (exactly |only )?(\d+|one|two|three|four|five) ((tool|function|parallel)[ _-]?)*calls?\b[^\n]{0,30}(got|found|but|received|made)",
            rf"(made|wrote|produced|got|found) (only )?(\d+|one|two|three|four|five) ({_CALL}|calls?),? (but|while|although|instead of)[^\n]{{0,20}}(\d+|one|two|three|four|five)\b",
            rf"(too many|too few) (parallel )?({_CALL}|calls? to)",
            r"only supports? (a )?single tool[ -]calls?",
            r"(number|count) of (tool |function )?calls[^\n]{0,20}(does|do|did)(n't| not) match",
        ),
    ),
    Sign("WRONG_FUNCTION", (rf"(function|tool) name {_TOOL} (was )?not found in (the )?model",), confidence=0.95),
    Sign(
        "WRONG_FUNCTION",
        (
            r"(wrong|incorrect) (function|tool)( name)?( was)? (called|chosen|selected|used)",
            r"(called|chose|selected|used) the (wrong|incorrect) (function|tool)",
            rf"(expected|wanted|should (have )?call(ed)?) (a call (to|of) |the )?(tool|function)( name)?:? {_TOOL},? (but )?((the )?model )?(got|found|called|chose|selected|used|not)\b",
            rf"(expected|wanted) (the )?((tool|function) )?{_OTHER_TOOL} (to be|was|is to be) called,? (but )?(got|not|found|the model)\b",
            r"(function|tool) names? (do|does|did)(n't| not) match",
            r"(function|tool) name mismatch",
        ),
    ),
    Sign("MISSING_REQUIRED_ARG", (rf"missing (a )?required {_THING}s?:? {_ARGUMENT}",), beside=rf"tool|function|{_CALL}|call rejected"),
    Sign("MISSING_REQUIRED_ARG", (rf"optional {_THING} {_ARGUMENT} not provided",), confidence=0.8),
    Sign("UNEXPECTED_ARG", (rf"(unexpected|unknown|unrecogni[sz]ed|undeclared) {_THING}s?:? {_ARGUMENT}",), beside=rf"tool|{_CALL}|call rejected"),
    Sign(
        "ARG_TYPE_ERROR",
        (rf"(incorrect|wrong|invalid) type (for|of) (the )?{_THING}:? {_ARGUMENT}", r"nested type check(ing)? failed( for parameter '(?P<nested_argument>[\w.-]{1,60})')?"),
    ),
    Sign(
        "ARG_VALUE_ERROR",
        (rf"(invalid|illegal|bad|disallowed|unsupported) value (for|of) (the )?{_THING}:? {_ARGUMENT}",),
        beside=rf"expected one of|tool|{_CALL}|call rejected",
    ),
    Sign("ARG_VALUE_ERROR", (r"(unexpected|missing) dict(ionary)? key parameter", r"wrong number of dictionaries in the list"), confidence=0.8),
)  # fmt: skip

_OF_A_CALL = rf"{_CALL}|tool[ _-]?(input|args?|arguments?|params|name|use)\b|(tool|function) '?[\w.-]+'? (failed|rejected|received|raised)|arguments? (of|for|to) (the )?(tool|function|call)|mcp error|^[^\w\n]*input validation error: |structuredtool|call to '?[\w.-]+'? (failed|rejected)"
"""What stands beside the words of a validator if they are about a tool call. Validators check much else."""

VALIDATED = (
    Sign(
        "MISSING_REQUIRED_ARG",
        (
            rf"{_BEGIN}{_ARGUMENT} is a required property",
            r"must have required property '(?P<property_argument>[\w.-]{1,60})'",
            rf"{_BEGIN}(?P<path_argument>[\w.\[\]-]{{1,60}}) is missing(; it takes|$)",
            r"field required",
            r"missing \d+ required (positional|keyword-only) arguments?",
            r"value_error\.missing|type=missing\b|'received' ?: ?'undefined'|received undefined",
            rf"missing {_THING}s?\b",
        ),
        beside=_OF_A_CALL,
        confidence=0.82,
    ),
    Sign(
        "UNEXPECTED_ARG",
        (
            r"additional properties are not allowed",
            r"must not have additional propert",
            rf"got an unexpected keyword argument {_ARGUMENT}",
            r"extra_forbidden|extra inputs are not permitted",
            r"unrecognized key\(?s?\)? in object",
            rf"{_BEGIN}(?P<path_argument>[\w.\[\]-]{{1,60}}) is not known; known are",
        ),
        beside=_OF_A_CALL,
        confidence=0.85,
    ),
    Sign(
        "ARG_VALUE_ERROR",
        (
            r"is not one of \[",
            r"must be equal to (one of the allowed values|constant)",
            r"invalid enum value|invalid_enum_value|literal_error|type=enum|not a valid enumeration member",
            r"must match (pattern|format)|does not match '[\^(\[]",
            r"is (less|greater) than the (minimum|maximum)|must be (>=|<=|>|<) |(greater|less)_than",
            r"is not allowed; it takes one of",
            rf"{_THING} '?[\w.-]+'? must be one of",
        ),
        beside=_OF_A_CALL,
        confidence=0.82,
    ),
    Sign(
        "ARG_TYPE_ERROR",
        (
            r"is not of type '",
            rf"must be (a |an |of type )?'?{_KIND}\b",
            r"input should be a valid|value is not a valid (integer|float|boolean|string|list|dict)",
            rf"expected (type )?'?{_KIND}'?,? (but )?(got|received|found)",
            r"invalid_type\b|type=(int|float|string|bool|list|dict)_(type|parsing)",
            r"is not allowed; it takes (a|an|true) ",
        ),
        beside=_OF_A_CALL,
        confidence=0.82,
    ),
)  # fmt: skip
"""The words of JSON Schema in Python and JavaScript, of pydantic, of zod, of Python, and of MMOS."""

_TOOLS = r"(the )?(native )?('?tools?'?(?! (output|result))\b|tool[ _-](use|call|calls|calling|choice)|function[ _-]call(s|ing)?)"

SPOKEN = (
    Sign(
        "MODEL_LACKS_TOOL_SUPPORT",
        (
            rf"(does not|doesn't|do not|don't|cannot|can't) (yet |currently )?(support|accept|handle) (for |any )?{_TOOLS}",
            rf"{_TOOLS}( (is|are|was|were))?( currently)? (not (yet )?(supported|available|enabled)|unsupported) (by|for|with|in|on) (this|the|your) (model|endpoint|server|template)",
            r"tool[ _-]?(use|calls?|calling) (is|are) (not supported|unsupported)",
            r"(no|without( the)?|lacks?( the)?|missing( the)?) 'tools?' capabilit",
            r"no endpoints found that support tool",
            r"requires --enable-auto-tool-choice",
            r"tools? param(eter)? requires --jinja",
            r"notimplementederror[^\n]{0,80}(bind_tools|function.?calling|tool)|bind_tools[^\n]{0,60}not implemented",
            r"(unsupported|unrecogni[sz]ed|unknown) (request )?(param(eter)?s?|arguments?|field)[^\n]{0,30}\b(tools|tool_choice|functions)\b",
        ),
        confidence=0.95,
    ),
    Sign(
        "MALFORMED_TOOL_CALL_FROM_MODEL",
        (
            rf"(error|failed|failure|unable|could not|couldn't|cannot)( to| in| while)? ?(pars(e|ing)|extract(ing)?|decod(e|ing)|unmarshal(ing)?|read(ing)?)( the| a| an| model| model's)* ?({_CALL}|tool[ _-](input|use|arguments?))",
            rf"{_CALL}( arguments)? (pars(er|ing) )?(error|failed|failure)",
            rf"(invalid|malformed|broken)[ _-](json in )?({_CALL}|tool[ _-](use|input))",
            rf"{_CALL}('s)? (arguments?|input|json|syntax)[^\n]{{0,60}}(not (a )?valid|invalid|malformed|truncated|unexpected end|could not be parsed|unterminated)",
            r"(tool|function) '?[\w.-]*'? ?(arguments?|input|parameters)[^\n]{0,40}(not valid json|invalid json|malformed|jsonparse|jsondecodeerror)",
            r"malformed_function_call|tool_use_failed|failed_generation|failed to call a function",
            r"ai_(invalidtoolarguments|toolcallrepair|invalidtoolinput)error",
            r"xml syntax error[^\n]{0,60}(element|closed by|function|parameter)|failed to parse input at pos|repair failed to produce valid json",
            r"output does not match the expected peg|unexpected tokens remaining in message header",
            r"model (produced|emitted|wrote|generated) (a |an )?(invalid|malformed|broken)[^\n]{0,20}(json|tool|call|argument)",
        ),
        confidence=0.92,
    ),
    Sign(
        "MALFORMED_TOOL_CALL_FROM_MODEL",
        (r"invalid character '.{1,6}' (looking for|after|in|at)", r"unexpected end of json input"),
        beside=rf"{_CALL}|\btools?\b",
        unless=r"missing request body|cannot unmarshal|status( ?code)?:? 400",
        confidence=0.8,
    ),
    Sign(
        "MALFORMED_TOOL_CALL_FROM_MODEL",
        (r"'error' ?: ?'(unexpected end of json input|invalid character '.{1,6}' (looking for|after|in))",),
        beside=r"\b500\b",
        confidence=0.65,
    ),
    Sign(
        "MALFORMED_TOOL_CALL_FROM_MODEL",
        (r"jsondecodeerror|json parse error|json\.parse\b|unterminated string|expecting (value|property name|',' delimiter)|unexpected token|not valid json",),
        beside=r"tool_?calls?\b|tool[ _-]?(input|args?|arguments?)\b|function[_. -]?(call|arguments)",
        confidence=0.72,
    ),
    Sign(
        "HALLUCINATED_TOOL",
        (
            rf"(unknown|unavailable|unregistered|non-?existent|hallucinated|invalid) (tool|function)( name| called)s?:? {_TOOL}|(unknown|unavailable|hallucinated) tool( call)?:? '",
            rf"\b(tool|function) (named |name |with name |called )?{_OTHER_TOOL} ({_NOT} )(found|exist|available|registered|recogni[sz]ed|offered|known|a valid|in (the )?(list|request|tools|available))",
            r"\bis not a valid tool\b",
            r"(tool|function) not found: ?'?(?P<missing_tool>[\w./:-]{1,80})",
            r"no (such )?tool( is)? (named|called|found|with|registered|available)|there is no tool",
            r"(attempted|tried) to (call|use|invoke) (an? )?((unavailable|unknown|non-?existent|undefined|unregistered) )?(tool|function)",
            r"(could not|cannot|couldn't|can't) find (the |a )?tool\b|not in the (list|set) of (\w+ )?tools|which was not in request\.tools|ai_nosuchtoolerror|toolnotfound",
            r"tool[^\n]{0,60} was not (offered|provided|declared)",
        ),
        beside=r"\btools?\b|tool[_A-z]|function[ _-]call|\bmodel\b|agent",
        unless=r"unknown function in|toolchain",
        confidence=0.88,
    ),
    Sign(
        "TOOL_CALL_UNPARSEABLE",
        (
            r"could not parse (llm|model|agent|the model's|the)[^\n]{0,15} ?(output|response|answer|reply)",
            r"outputparserexception|output_parsing_failure|parsing llm output produced",
            rf"no (valid |parse-?able )?({_CALL}) (could be |was |were )?(found|parsed|read|detected|extracted)",
            rf"(output|answer|reply|response)[^\n]{{0,20}} (could not|cannot|can't) be (parsed|read|decoded) as (a |any )?{_CALL}",
            r"(output|answer|reply|response) (of|from) (the )?model (could not|cannot|can't) be parsed",
            rf"not (a )?(valid|parse-?able) {_CALL}",
        ),
        confidence=0.8,
    ),
)  # fmt: skip
"""The words of servers and frameworks."""
