"""Twelve talks in which nothing is wrong, for the tests of what is noticed in a talk."""

from __future__ import annotations

from mmos.talk_events import ALL, MessageSent, TalkOpened
from mmos.views.talks import Talk

Line = tuple[str, str, int, str, str, tuple[str, ...]]
"""Sender, address, round, stance, text, claims."""


def talk(topic: str, *lines: Line, goal: str = "", participants: tuple[str, ...] = ()) -> Talk:
    names = participants or tuple(dict.fromkeys(line[0] for line in lines))
    made = Talk(TalkOpened("t1", topic=topic, goal=goal, participants=names, arbiter="arbiter", max_turns=12, max_rounds=3))
    for number, (sender, to, stage, stance, text, claims) in enumerate(lines, 1):
        made.sent[number] = MessageSent("t1", number, sender, to, text, stance, claims, stage)
    return made


LEAK = "Since the last release our service leaks memory: find the cause and write the fix."

HEALTHY: dict[str, Talk] = {
    "two find a cause and a fix": talk(
        LEAK,
        ("coding", ALL, 0, "new", "The pool of connections never closes idle sockets. Each request keeps about 40 kB.", ("The pool never closes idle sockets.", "Each request keeps 40 kB.")),
        ("reasoning", ALL, 0, "new", "The growth began with release 2.4, which changed the listener of the cache. I would look at what the listener holds.", ("The growth began with release 2.4.", "The listener of the cache holds references.")),
        ("coding", "reasoning", 1, "partly", "The listener is part of it: it holds the pool, so the pool is never freed. The fix is a weak reference in `listen()`.", ("The listener holds the pool.", "A weak reference in listen() is the fix.")),
        ("reasoning", "coding", 1, "agree", "With a weak reference the pool is freed after each reload, and the growth of 40 kB a request stops. A test can count the sockets.", ("A test can count the sockets.",)),
    ),
    "three with a question and its answer": talk(
        "Which database should the new service use?",
        ("coding", ALL, 0, "new", "SQLite is enough: one writer, 3 GB of data.", ("SQLite is enough for one writer.",)),
        ("reasoning", ALL, 0, "new", "Postgres, because a second writer is planned for spring.", ("A second writer is planned.", "Postgres serves several writers.")),
        ("analysis", ALL, 0, "new", "The load is 20 writes a second at most. Both can do that.", ("The load is 20 writes a second at most.",)),
        ("coding", "reasoning", 1, "partly", "Is the second writer certain? With two writers I would take Postgres, too.", ()),
        ("reasoning", "coding", 1, "new", "It is in the plan of the quarter, with a date in April.", ("The second writer comes in April.",)),
        ("analysis", ALL, 1, "agree", "Then Postgres for the database: moving 3 GB later costs a day of downtime.", ("Moving the data later costs a day.",)),
        goal="One database, with the reason.",
    ),
    "a dispute that a measurement settles": talk(
        "Is the cache or the parser the slow part of the start?",
        ("coding", ALL, 0, "new", "The parser takes 900 ms of the start.", ("The parser takes 900 ms.",)),
        ("reasoning", ALL, 0, "new", "The parser takes 200 ms, the cache takes the rest.", ("The parser takes 200 ms.", "The cache takes 800 ms.")),
        ("coding", "reasoning", 1, "disagree", "I measured it with a cold disk. Was yours warm?", ("The disk was cold in my measurement.",)),
        ("reasoning", "coding", 1, "agree", "Mine was warm. On a cold disk the parser takes 900 ms here, too.", ("The parser takes 900 ms on a cold disk.",)),
        ("coding", ALL, 2, "new", "So the parser is slow when it reads from the disk. Reading the file at once instead of by lines should help at the start.", ("Reading the file at once helps.",)),
    ),
    "prose without claims": talk(
        "Why does the nightly build fail on Mondays?",
        ("coding", ALL, 0, "", "On Sunday the log rotation deletes the folder of the build cache, so the first build of the week has none and runs out of time.", ()),
        ("reasoning", ALL, 0, "", "The Monday build starts at the same minute as the backup. Both want the disk, and the build has a limit of 20 minutes.", ()),
        ("coding", "reasoning", 1, "", "Both would explain it. The times in the log say that the compile step alone takes 14 minutes, which is a missing cache and no slow disk.", ()),
        ("reasoning", "coding", 1, "", "True, a slow disk would slow down the checkout, too, and that takes 8 seconds as always. So keep the folder of the cache out of the rotation.", ()),
    ),
    "answers that are alike from the beginning": talk(
        "What does the exit code 137 of the container mean?",
        ("coding", ALL, 0, "new", "Signal 9: the kernel killed it, most likely for memory.", ("137 is signal 9.", "The kernel killed the container for memory.")),
        ("reasoning", ALL, 0, "new", "128 + 9, so a kill. The usual reason is the memory limit of the container.", ("137 is signal 9.", "The memory limit killed the container.")),
        ("coding", ALL, 1, "agree", "We say the same.", ()),
        ("reasoning", ALL, 1, "agree", "Yes. `dmesg` would prove it.", ("dmesg shows the kill.",)),
    ),
    "in German": talk(
        "Warum verliert der Dienst nach dem Neustart seine Sitzungen?",
        ("coding", ALL, 0, "new", "Die Sitzungen liegen im Speicher des Prozesses. Beim Neustart sind sie weg.", ("Die Sitzungen liegen im Speicher.",)),
        ("analysis", ALL, 0, "new", "Im Log steht, dass Redis seit dem 3. Mai abgeschaltet ist. Davor waren die Sitzungen dort.", ("Redis ist seit dem 3. Mai abgeschaltet.",)),
        ("coding", "analysis", 1, "agree", "Das passt: ohne Redis nimmt der Dienst den eigenen Speicher. In der Konfiguration steht `fallback: memory`.", ("Die Konfiguration hat fallback: memory.",)),
        ("analysis", "coding", 1, "agree", "Dann genügt es, Redis wieder einzuschalten und den Rückfall zu verbieten, damit die Sitzungen nach dem Neustart bleiben.", ("Der Rückfall sollte verboten sein.",)),
    ),
    "much code from one": talk(
        "Write a function that removes duplicates and keeps the order.",
        ("coding", ALL, 0, "new", "```python\ndef unique(items):\n    seen = set()\n    kept = []\n    for item in items:\n        if item not in seen:\n            seen.add(item)\n            kept.append(item)\n    return kept\n```", ("A set of seen items keeps the order.",)),
        ("reasoning", ALL, 0, "new", "`list(dict.fromkeys(items))` removes duplicates and keeps the order.", ("dict.fromkeys keeps the order.",)),
        ("coding", "reasoning", 1, "agree", "Shorter, and the same for hashable items:\n```python\ndef unique(items):\n    return list(dict.fromkeys(items))\n```", ("Both need hashable items.",)),
        ("reasoning", "coding", 1, "new", "For items without a hash, such as lists, it raises TypeError. Say so in the docstring.", ("Lists raise TypeError.",)),
        ("coding", ALL, 2, "agree", "```python\ndef unique(items):\n    \"\"\"Remove duplicates, keep the order. The items must be hashable.\"\"\"\n    return list(dict.fromkeys(items))\n```", ("The docstring says that items must be hashable.",)),
    ),
    "a quote with its source": talk(
        "Does the retry logic send payments twice?",
        ("coding", ALL, 0, "new", "The client retries after 5 seconds, even if the first request is still at work on the server.", ("The client retries after 5 seconds.",)),
        ("reasoning", ALL, 0, "new", "Without an idempotency key a retry is a second payment.", ("Without a key a retry is a second payment.",)),
        ("coding", "reasoning", 1, "agree", "You wrote \"without an idempotency key a retry is a second payment\". The client sends no key: `headers={}` in `pay.py:41`.", ("The client sends no key.",)),
        ("reasoning", ALL, 1, "agree", "Then payments are sent twice when the server takes longer than 5 seconds. The fix is a key per order.", ("A key per order is the fix.",)),
    ),
    "one is asked more than others": talk(
        "How do we move the users table without downtime?",
        ("coding", ALL, 0, "new", "Write to both tables, copy in the background, then switch the reads.", ("Write to both tables first.",)),
        ("reasoning", ALL, 0, "new", "The order matters: copy, compare, switch. A comparison is missing in most plans.", ("Compare before the switch.",)),
        ("analysis", ALL, 0, "new", "The users table has 80 million rows and 300 writes a minute.", ("The users table has 80 million rows.",)),
        ("reasoning", "coding", 1, "new", "How long does the copy take?", ()),
        ("coding", "reasoning", 1, "new", "At 20,000 rows a second a bit more than an hour.", ("The copy takes an hour.",)),
        ("analysis", "coding", 1, "new", "What happens to a user who is deleted in that hour?", ()),
        ("coding", "analysis", 1, "new", "The delete goes to both tables, and the copy skips rows that are newer.", ("The copy skips newer rows.",)),
        ("reasoning", ALL, 1, "agree", "Then compare counts for each day of creation, and switch the reads of the users table.", ("Compare counts for each day.",)),
    ),
    "an open point is conceded": talk(
        "Should the API return 404 or 403 for a file of another user?",
        ("coding", ALL, 0, "new", "403 is honest.", ("The API should return 403.",)),
        ("reasoning", ALL, 0, "new", "404, because 403 tells that the file exists.", ("The API should return 404.",)),
        ("coding", "reasoning", 1, "disagree", "Names of files are random ids. Nobody learns anything from them.", ("The ids of files are random.",)),
        ("reasoning", "coding", 1, "partly", "Ids are in shared links and in logs. A 403 then tells who still has the file.", ("Ids are in shared links.",)),
        ("coding", "reasoning", 2, "agree", "I did not think of links. 404 for a file of another user, then.", ("The API should return 404.",)),
    ),
    "a new word in each message": talk(
        "The page is slow for users in Asia. Why?",
        ("analysis", ALL, 0, "new", "The median is 2.8 s in Singapore and 0.4 s in Frankfurt.", ("The median is 2.8 s in Singapore.",)),
        ("reasoning", ALL, 0, "new", "All assets come from one region. Each handshake costs 200 ms.", ("All assets come from one region.",)),
        ("coding", ALL, 0, "new", "The bundle is 4 MB and blocks rendering.", ("The bundle is 4 MB.",)),
        ("reasoning", "coding", 1, "agree", "Splitting the bundle removes two round trips; a CDN removes the rest.", ("A CDN removes the handshakes.",)),
        ("analysis", ALL, 1, "agree", "With a test CDN the median in Singapore falls to 0.9 s, so users in Asia get what others get.", ("With a CDN the median falls to 0.9 s.",)),
        ("coding", ALL, 1, "new", "Vite can split by route: `manualChunks`. That takes an afternoon.", ("Vite can split by route.",)),
    ),
    "four take turns over two rounds": talk(
        "Plan the release of version 3 on Friday.",
        ("coding", ALL, 0, "new", "Freeze on Wednesday, tag on Thursday evening.", ("Freeze on Wednesday.",)),
        ("reasoning", ALL, 0, "new", "Friday is a bad day: nobody is here at the weekend.", ("Friday is a bad day.",)),
        ("analysis", ALL, 0, "new", "The last three releases had a fix within 36 hours.", ("Releases had a fix within 36 hours.",)),
        ("finance", ALL, 0, "new", "The contract names the 14th, which is a Friday.", ("The contract names the 14th.",)),
        ("reasoning", "finance", 1, "new", "Does the contract say release, or delivery to one customer?", ()),
        ("finance", "reasoning", 1, "new", "Delivery to the customer. The public release may come later.", ("The contract asks for delivery to one customer.",)),
        ("coding", ALL, 1, "agree", "Then the customer gets the build on Friday, and the public gets version 3 on Monday.", ("The public release is on Monday.",)),
        ("analysis", ALL, 1, "agree", "That leaves the 36 hours before the public release of version 3.", ("The fix comes before the public release.",)),
        ("reasoning", ALL, 2, "agree", "One more condition: the customer must have a way back to version 2.", ("The customer has a way back.",)),
    ),
}  # fmt: skip
