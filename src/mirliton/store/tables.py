"""The tables. Documents are JSON text: their keys are the operator's, not ours (semantics 2.2, last line)."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

documents = Table(
    "documents",
    metadata,
    Column("account_id", String(32), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("revision", String(64), nullable=False),
    Column("created", BigInteger, nullable=False),  # Gregorian seconds
    Column("modified", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),  # nanoseconds: the order of creation, finer than `created`
    Column("deleted", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("private", Text, nullable=False),
    Index("documents_in_order", "account_id", "type", "deleted", "position", "id"),
)

claims = Table(
    "claims",
    metadata,
    Column("scope", String(32), primary_key=True),  # an account id, or "" for the whole system
    Column("kind", String(32), primary_key=True),
    Column("value", String(512), primary_key=True),
    Column("account_id", String(32), nullable=False),
    Column("document_id", String(64), nullable=False),
    Index("claims_of_document", "account_id", "document_id"),
    Index("claims_by_value", "kind", "value"),
)

patterns = Table(
    "patterns",
    metadata,
    Column("account_id", String(32), primary_key=True),
    Column("document_id", String(64), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("pattern", String(256), nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of the token: a stolen database opens nothing
    Column("account_id", String(32), nullable=False),
    Column("owner_id", String(32), nullable=True),
    Column("method", String(16), nullable=False),
    Column("issued", BigInteger, nullable=False),  # UNIX seconds
    Column("expires", BigInteger, nullable=False),
    Index("tokens_of_account", "account_id", "expires"),
)
