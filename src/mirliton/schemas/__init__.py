"""The JSON Schemas of Kazoo's documents as data files, and validation with Kazoo's error envelope (semantics 6.4)."""

from mirliton.schemas.catalogue import UnknownSchema, schema, schema_ids
from mirliton.schemas.errors import Errors, Invalid
from mirliton.schemas.nested import nested
from mirliton.schemas.validation import check, defaults, validate

__all__ = ["Errors", "Invalid", "UnknownSchema", "check", "defaults", "nested", "schema", "schema_ids", "validate"]
