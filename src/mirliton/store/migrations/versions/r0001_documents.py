"""Documents, claims, patterns and tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Written out rather than taken from `store.tables`: a migration must not change when the tables do."""
    op.create_table(
        "documents",
        sa.Column("account_id", sa.String(32), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("modified", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("private", sa.Text, nullable=False),
    )
    op.create_index("documents_in_order", "documents", ["account_id", "type", "deleted", "position", "id"])
    op.create_table(
        "claims",
        sa.Column("scope", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(512), primary_key=True),
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("document_id", sa.String(64), nullable=False),
    )
    op.create_index("claims_of_document", "claims", ["account_id", "document_id"])
    op.create_index("claims_by_value", "claims", ["kind", "value"])
    op.create_table(
        "patterns",
        sa.Column("account_id", sa.String(32), primary_key=True),
        sa.Column("document_id", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("pattern", sa.String(256), nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("owner_id", sa.String(32), nullable=True),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("issued", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("tokens_of_account", "tokens", ["account_id", "expires"])


def downgrade() -> None:
    """Back to an empty database."""
    for table in ("tokens", "patterns", "claims", "documents"):
        op.drop_table(table)
