"""Defines the keys of `rag`: which documents of the library models read, and how they are found."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from mmos.config.section import Section
from mmos.config.values import Flag, ModelName, Portion, Positive, RoleName, ServerName, Text, allowed, one_of

Rewriting = Literal["none", "hyde", "expansion", "rewrite"]
COLLECTION = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""The names of collections. They become names of files."""
ALLOWED = "a name of at most 64 letters, digits, '_' and '-'"
CollectionName = Annotated[str, Field(pattern=COLLECTION), allowed(ALLOWED)]


class Finding(Section):
    """How passages are found. Keys that are left out are those of `rag`."""

    top_k: Positive = Field(default=5, description="The most passages that a model is given.")
    similarity_threshold: Portion = Field(
        default=0.7, description="If the best passage scores less, the collection has nothing about the question, and no passage is given."
    )
    query_rewriting: Annotated[Rewriting, one_of(*get_args(Rewriting))] = Field(
        default="none",
        description="Whether a model first writes the question in other words: none, hyde (it writes an answer, which is looked up), expansion (more words "
        "for the same things) or rewrite (a better question).",
    )
    embedding_model: ModelName = Field(
        default="nomic-embed-text",
        description="The embedding model. Collections to which documents are added get its vectors if this is written down. minilm is a small one that runs in this process; it needs the extra embed.",
    )
    embedding_server: ServerName | None = Field(default=None, description="Where that model runs. Default: on any host that has it.")


class PatternRag(Finding):
    """What the members of a pattern read."""

    collection: CollectionName | None = Field(default=None, description="The collection. Default: that of `rag`.")


class Rag(PatternRag):
    """The library."""

    rewriting_role: RoleName | None = Field(
        default=None, description="The role whose model writes questions in other words. Default: the arbiter."
    )
    collections: dict[CollectionName, Finding] = Field(default={}, description="Other values for some collections, by name.")
    store: Text | None = Field(
        default=None,
        description="Where the collections are: a folder, relative to this file, or the address of an object store, like s3://bucket/library. "
        "Default: the folder `library` in the state folder.",
    )
    runs: Flag = Field(default=False, description="Whether models may look into earlier runs: search_library with the collection 'runs'.")
