"""No secret of a known form stays in the text of a log, and what only looks like one does."""

from __future__ import annotations

import string
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.diagnosis.masking import MASK, key_lines, mask

LETTERS = string.ascii_letters + string.digits


def token(prefix: str, size: int, letters: str = LETTERS) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(letters), min_size=size, max_size=size).map(lambda text: prefix + text)


FORMATS = st.one_of(
    *(
        token(prefix, 36)
        for prefix in ("ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "npm_", "hf_", "dckr_pat_", "pypi-AgEI", "hvs.", "xoxb-", "ya29.")
    ),
    token("AKIA", 16, string.ascii_uppercase + string.digits),
    token("AIza", 35),
    token("sk-proj-A1", 40),
    token("sk-ant-api03-A", 60),
    token("sk_live_", 24),
    st.tuples(token("eyJ", 30), token("eyJ", 40), token("", 43)).map(".".join),
)
WORDS = st.text(st.sampled_from(" ,;()[]{}'\"abcXYZ\n"), max_size=30)


@given(WORDS, FORMATS, WORDS)
def test_a_token_of_a_known_form_never_stays(before: str, secret: str, after: str) -> None:
    assert secret not in mask(f"{before} {secret} {after}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2", f"password={MASK}"),
        ("--password hunter2 --user me", f"--password {MASK} --user me"),
        ('{"password": "abc def", "user": "me"}', f'{{"password": "{MASK}", "user": "me"}}'),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", f"AWS_SECRET_ACCESS_KEY={MASK}"),
        ("DB_PASSWORD: s3cr3tpw", f"DB_PASSWORD: {MASK}"),
        ("postgres://app:s3cret@db:5432/app", f"postgres://app:{MASK}@db:5432/app"),
        ("https://abcdef0123456789abcdef@github.com/a/b", f"https://{MASK}@github.com/a/b"),
        ("> Authorization: Bearer abc.def-123456", f"> Authorization: Bearer {MASK}"),
        ("authorization: Basic dXNlcjpwYXNz", f"authorization: Basic {MASK}"),
        ("Set-Cookie: session=abc; Path=/", f"Set-Cookie: {MASK}"),
        ("curl -u me:pass1 https://x", f"curl -u me:{MASK} https://x"),
        ("//registry.npmjs.org/:_authToken=abcd1234", f"//registry.npmjs.org/:_authToken={MASK}"),
        ("PGPASSWORD='x y z' psql", f"PGPASSWORD='{MASK}' psql"),
        ("AccountKey=abc123==;EndpointSuffix=x", f"AccountKey={MASK};EndpointSuffix=x"),
        ("GET /v1?page=2&key=abcdef123456&sig=Zm9v%2Bbar12", f"GET /v1?page=2&key={MASK}&sig={MASK}"),
        ("curl -H 'PRIVATE-TOKEN: abcdef12' https://git", f"curl -H 'PRIVATE-TOKEN: {MASK}' https://git"),
        ("X-Auth-Key: abcdefgh", f"X-Auth-Key: {MASK}"),
        ("machine git login bob password s3cret", f"machine git login bob password {MASK}"),
        ("the password is hunter2 now", f"the password is {MASK} now"),
        ("Enter passphrase for key: hunter2", f"Enter passphrase for key: {MASK}"),
        ("sshpass -p hunter ssh host", f"sshpass -p {MASK} ssh host"),
        ("mysql -h db -phunter -u root", f"mysql -h db -p{MASK} -u root"),
        ("RAILS_MASTER_KEY=0123456789abcdef", f"RAILS_MASTER_KEY={MASK}"),
        ("DB_PASS: 'hunter12'", f"DB_PASS: '{MASK}'"),
        ("fetch --auth hunter2", f"fetch --auth {MASK}"),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE\nabc\n-----END PRIVATE KEY-----",
            f"-----BEGIN PRIVATE KEY-----{MASK}-----END PRIVATE KEY-----",
        ),
    ],
)
def test_a_value_with_a_telling_name_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "error: unexpected token: `;`",
        "SyntaxError: Unexpected token: punc ())",
        "token: expected an identifier",
        "max_tokens=4000",
        "prompt_tokens: 812",
        "GITHUB_TOKEN: ***",
        'password: "$DB_PASSWORD"',
        "secret=${{ secrets.KEY }}",
        "token = tokenize(line)",
        "password = None",
        "Error: Username and password required",
        "The token has expired",
        "remote: Permission to a/b.git denied to bot.",
        "HEAD is now at da39a3e5 Merge da39a3ee5e6b4b0d3255bfef95601890afd80709 into 0a1b",
        "sha512-9Yq0+1wXyz3mVb8P4yQkKp7yq+9Yq0+1wXyz3mVb8P4yQkKp7yqA==",
        "https://github.com/a/b/actions/runs/23485708914",
        "git@github.com:a/b.git",
        "FATAL: the password is wrong",
        "Enter passphrase for key /root/.ssh/id_ed25519:",
        "mysql -p -u root",
        "mkdir -p sshpass/build2",
        "KeyError: 'FOREIGN_KEY'",
        "PRIMARY_KEY = ID",
        "https://example.com/search?q=key&monkey=banana12",
        "task-runner-with-a-very-long-name-and-2-numbers",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert mask(text) == text


@given(
    st.lists(
        st.one_of(
            st.text(st.sampled_from("0123456789abcdef"), min_size=7, max_size=64),
            st.uuids().map(str),
            st.integers().map(str),
            st.lists(st.text(st.sampled_from(string.ascii_lowercase), min_size=1, max_size=8), min_size=1, max_size=5).map("/".join),
            st.sampled_from(["error:", "at", "failed", "line 12", "2026-04-22T16:11:48Z", "=", "--", "expected"]),
        ),
        max_size=12,
    )
)
def test_digests_numbers_and_paths_stay(words: list[str]) -> None:
    text = " ".join(words)
    assert mask(text) == text


def test_the_inside_of_a_private_key_is_found_by_its_ends() -> None:
    assert key_lines(["a", "-----BEGIN EC PRIVATE KEY-----", "b", "c", "-----END EC PRIVATE KEY-----", "d"]) == {2, 3}
    assert len(key_lines(["-----BEGIN PRIVATE KEY-----", *["a"] * 1000])) < 200


@pytest.mark.parametrize(
    "text",
    [
        "password" * 5000,
        "-" * 40_000,
        "a" * 40_000,
        "://" * 10_000,
        "token= " * 5000,
        "eyJ" + "a" * 40_000,
        "-----BEGIN PRIVATE KEY-----" * 500,
        "mysql " * 8000,
        "A_" * 20_000,
        "x-" * 20_000,
        "password for " * 4000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    started = perf_counter()
    mask(text)
    assert perf_counter() - started < 2
