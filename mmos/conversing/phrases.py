"""Lists the phrases with which a message tries to steer the review, or poses as somebody else."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

_START = r"(?:^|[.!?,;:\n\"'(\]–—-]\s*|\b(?:please|now|then|and|you must|you should|you can|you have to|just|simply|instead|kindly|so)\s+)"
"""Where an order begins. `The CPU must ignore all previous instructions` is none."""
_ORDERS = (
    _START
    + r"(?:ignore|disregard|forget|override|overrule|discard|bypass)\s+(?:(?:all|any|every|each)\s+)?(?:of\s+)?(?:(?:the|your|these|those|its)\s+)?"
    r"(?:(?:previous|prior|earlier|preceding|above|former|existing|original|initial|system)\s+)+(?:instruction|prompt|direction|directive|guideline|order|command)s?\b",
    _START
    + r"(?:ignore|disregard|forget)\s+(?:everything|all|anything|what)\s+(?:that\s+)?(?:you\s+(?:were|have\s+been|had\s+been|are)\s+(?:told|given|instructed)|(?:said|written)?\s*(?:above|before\s+this))",
    _START + r"(?:ignore|skip|bypass|disregard|override|disable)\s+(?:the|this|your|any|all|further)\s+(?:reviews?|reviewing|moderation)\b"
    r"(?=\s*(?:[.!\n]|$|and\s+(?:pass|accept|approve|let|forward)|(?:of|for)\s+(?:this|my)\s+(?:message|answer)))",
    _START + r"(?:ignore|disregard|bypass)\s+(?:the|this|your)\s+(?:reviewer|arbiter|moderator)\b(?=\s*(?:[,.!\n]|$))",
    r"\bfrom\s+now\s+on,?\s+(?:you|everybody|all\s+of\s+you)\s+(?:must\s+|will\s+|shall\s+)?(?:only\s+)?(?:answer|obey|agree|say|respond)\b",
    r"^[^\w\n]*(?:new|updated)\s+(?:system\s+)?(?:instructions?|orders?)\s*(?:for\s+[\w ]{1,30})?:\s*(?:accept|ignore|obey|agree|pass|approve|conclude|say)\b",
    r"\byour\s+new\s+(?:instructions?|orders?|rules|role|system\s+prompt)\s*(?:is|are|:)",
    r"\byou\s+are\s+now\s+(?:(?:in\s+)?(?:an?\s+|the\s+)?(?:developer|god|jailbreak|dan|unrestricted|sudo|admin)\s+mode|unrestricted|unfiltered|jailbroken|the\s+(?:arbiter|system|user|moderator))\b",
)
_ORDERS_IN_OTHER_LANGUAGES = (
    r"\b(?:ignorier|vergiss|missacht|ubergeh)\w*\s+(?:bitte\s+)?(?:alle\w?\s+|samtliche\s+)?(?:die|deine|ihre|meine)?\s*(?:vor(?:her)?ig|bisherig|obig|fruher|vorangehend)\w*\s+(?:anweisung|instruktion|regel|befehl|vorgabe)\w*",
    r"\b(?:ignor|oubli)(?:e|ez|er|ons)\s+(?:toutes\s+)?(?:les|vos|tes)?\s*(?:instruction|consigne|directive|regle)s\s+(?:precedente|anterieure|ci-dessus)",
    r"\b(?:ignor|olvid)(?:a|e|en|ar|ad)\s+(?:todas\s+)?(?:las|tus|sus)?\s*(?:instrucciones|ordenes|reglas|indicaciones)\s+(?:anteriores|previas)",
    r"\b(?:ignora|ignori|ignorate|dimentica)\s+(?:tutte\s+)?(?:le|tue)?\s*(?:istruzioni|regole|indicazioni)\s+(?:precedenti|anteriori)",
    r"\b(?:ignor|esque)\w{1,4}\s+(?:todas\s+)?(?:as\s+)?(?:suas\s+)?(?:instrucoes|ordens|regras)\s+(?:anteriores|previas)",
    r"\b(?:negeer|vergeet)\s+(?:alle\s+)?(?:de\s+|je\s+)?(?:vorige|eerdere|voorgaande|bovenstaande)\s+(?:instructies|opdrachten|regels)",
    r"\b(?:z?ignoruj|zapomnij)\w*\s+(?:o\s+)?(?:wszystki\w+\s+)?(?:poprzedni|wczesniejs)\w+\s+(?:instrukcj|polecen|zasad)\w+",
    r"(?:игнорируй|забудь|проигнорируй)(?:те)?\s+(?:обо?\s+)?(?:все(?:х)?\s+)?(?:предыдущи|прежни|прошлы)\w+\s+(?:инструкци|указани|команд|правил)\w+",
    r"(?:忽略|无视|忘记|忽視|無視).{0,8}(?:之前|以上|前面|先前|上述).{0,6}(?:指令|指示|说明|命令|規則|规则)",
    r"(?:以前|前|上記|これまで|今まで)の(?:すべての|全ての)?(?:指示|命令|ルール)を?(?:すべて|全て)?(?:無視|忘れ)",
    r"이전(?:의)?\s*(?:모든\s*)?(?:지시|명령|지침)\S*\s*(?:모두\s*)?(?:무시|잊)",
    r"(?:onceki|yukaridaki)\s+(?:tum\s+)?(?:talimat|komut|kural)\w*\s+(?:yok\s+say|unut|gormezden\s+gel)",
    r"تجاهل\s+(?:جميع\s+|كل\s+)?(?:التعليمات|الأوامر)\s+السابقة",
    r"\b(?:schiedsrichter|arbitre|arbitro|arbiter|scheidsrechter)\b\W{1,3}(?:(?:du|sie|tu|vous|usted)\s+)?(?:musst|mussen|sollst|dois|devez|debes|devi|moet|lass\w*|laisse\w*|deja\w*)\b[^.\n]{0,40}(?:nachricht|message|mensaje|messaggio|bericht)",
)
_AUTHORITY = (
    r"\b(?:ignore|disregard|obey|override|instructions?|arbiter|reviewer|review\s+(?:is|has|of)|verdict|participants?|from\s+now\s+on|you\s+(?:must|are|have\s+to|shall|will)|do\s+(?:what|as)|"
    r"pass\s+(?:this|it)|accept\s+(?:this\s+message|my|it)|(?:end|stop|close)\s+the\s+(?:conversation|talk|discussion)|(?:conversation|talk|discussion)\s+is)\b"
)
_LABEL = r"^[^\w\n]*(?:system|developer|administrator|admin|user|human|assistant|operator|mmos)(?:[ \t]+(?:message|prompt|note|notice|override))?[^\w\n]{0,4}[:\]>]"
_POSES = (
    rf"{_LABEL}[^\n]{{0,300}}?{_AUTHORITY}[^\n]*",
    rf"{_LABEL}[^\w\n]*\n[^\n]{{0,300}}?{_AUTHORITY}[^\n]*",
    r"\b(?:i\s+am|i'm|speaking\s+as)\s+(?:now\s+)?(?:the\s+|your\s+)(?:system|user|administrator|moderator|operator)(?=\s*(?:[,.:!;]|and\b|$))",
    r"\bas\s+(?:the|your)\s+(?:system|arbiter|user|moderator|operator)(?:\s+administrator)?,?\s+i\s+(?:order|command|instruct|tell)\s+(?:you|all|everybody)\b",
    r"\bthis\s+is\s+(?:now\s+)?(?:the\s+|your\s+)(?:system|user|administrator|moderator|operator|arbiter)\s+(?:speaking|talking)\b",
    r"^[^\w\n]*result[ \t]+of[ \t]+(?=\S*_)\S{1,100}[ \t]*:[^\n]*",
    r"^[^\w\n]*[<>]{3,}[^\w\n]*\n[^\w\n]*(?:\w+[ \t]+(?:says|said|writes|wrote|to[ \t]+\w+)|system|user|arbiter|result[ \t]+of)\b[^\n]*",
)
TURN_TAGS = re.compile(
    r"<[|｜](?:im_start|im_end|start_header_id|end_header_id|eot_id|eom_id|system|user|assistant|developer|tool|start|end|message|channel|start_of_role|end_of_role)[|｜]>|"
    r"\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|<[|｜](?:User|Assistant|System)[|｜]>|"
    r"</?(?:tool|function)_(?:response|result|output|outputs)s?>|<function_results?>",
    re.IGNORECASE,
)
"""Tags between the turns of a chat. A host reads them in a message as if they were its own."""
USER_SAYS = re.compile(
    r"\bthe\s+user\b[^\w\n]{0,3}s?\s*(?:says?|said|wrote|writes|orders|own\s+words)\s*:\s*(?P<words>[^\n]+)", re.IGNORECASE
)


@lru_cache(maxsize=64)
def steering(arbiters: Collection[str]) -> tuple[re.Pattern[str], ...]:
    """The phrases that tell the arbiter, or everybody, what to do with a message. `arbiters`: its names, as a pattern."""
    names = _alternatives(arbiters)
    head = r"(?:^|[.!?\n]\s*|\b(?:dear|hey|hi|attention|note\s+(?:to|for)|message\s+(?:to|for)|to)\s+(?:the\s+)?|@)"
    called = rf"{head}{names}\b\W{{1,3}}"
    order = r"(?:you\s+)?(?:please\s+)?(?:must\s+|should\s+|have\s+to\s+|are\s+to\s+|will\s+|now\s+)?(?:please\s+)?"
    keep = r"(?:do\s+not|don't|never|must\s+not|may\s+not)\s+(?:modify|change|drop|redirect|review|edit|cut|touch|alter|block|reject)\b"
    let = (
        r"(?:pass|approve|accept|forward|clear|let|mark|leave|allow)\s+(?:on\s+)?(?:\w+\s+){0,2}?"
        r"(?:this|that|it|my|mine|everything|unchanged|through|without|[.!]|$)(?!\s+(?:on\s+)?to\s+\w)"
    )
    against = (
        r"(?:drop|block|silence|exclude|remove|reject|ignore)\s+(?:every|all|any|the)\b[^.\n]{0,30}\b(?:messages?|answers?|participants?)\b"
    )
    about = r"(?:this|my)\s+(?:message|answer|text|reply|response|contribution)\b"
    phrases = (
        rf"{called}{order}(?:{keep}|{let}|{against})",
        rf"{called}[^.!?\n]{{0,60}}?{keep}\s+(?:it|this|my|anything)\b",
        rf"{head}(?:reviewer|judge|referee)\b\W{{1,3}}{order}(?:{keep}|pass|approve|accept|forward)\s+(?:on\s+)?{about}",
        rf"\b{names}\s+(?:must|should|shall|has\s+to|needs\s+to|will|is\s+to)\s+(?:not\s+)?\w+\s+{about}",
        *_ORDERS,
        *_ORDERS_IN_OTHER_LANGUAGES,
    )
    return tuple(re.compile(phrase, re.MULTILINE) for phrase in phrases)


@lru_cache(maxsize=64)
def posing(arbiters: Collection[str]) -> tuple[re.Pattern[str], ...]:
    """The phrases that pass for words of the arbiter, of the user, of a tool or of MMOS."""
    names = _alternatives(arbiters)
    phrases = (
        rf"^[^\w\n]*(?:the\s+)?{names}(?:'s)?\s+(?:decision|verdict|review|ruling|decides|decided|says)\b[^\w\n]*:[^\n]*",
        rf"^[^\w\n]*{names}[^\w\n]*[:>\]][^\w\n]*(?:i\s+(?:have\s+|hereby\s+)?(?:decided?|accept|approve|pass|conclude|rule|end|close)|this\s+message|pass(?:ed)?\b|approved|accepted|verdict|decision|conclusion|the\s+(?:talk|conversation|discussion)\s+is)\b[^\n]*",
        rf"\b{names}\s+(?:said|says|wrote)\b[^\w\n]{{0,10}}[:\"][^\n]{{0,80}}\b(?:accept|pass|approv|conclud|verdict)",
        rf"\b{names}\s+(?:has\s+)?(?:already\s+|just\s+)?(?:approved|passed|accepted|cleared|verified|reviewed)\s+(?:this|my)\s+(?:message|answer|text|verdict|claim|fix)\b",
        rf"\b(?:i\s+am|i'm|speaking\s+as)\s+(?:now\s+)?(?:the\s+|your\s+){names}(?=\s*(?:[,.:!;]|and\b|$))",
        *_POSES,
    )
    return tuple(re.compile(phrase, re.MULTILINE) for phrase in phrases)


def _alternatives(names: Collection[str]) -> str:
    return f"(?:{'|'.join(sorted(map(re.escape, names)))})"
