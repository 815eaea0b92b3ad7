"""The description of the REST API for programs (OpenAPI 3.1) and for the reference: one table, two readers."""

from mirliton.api.openapi.document import OPENAPI_PATH, openapi_document, openapi_route
from mirliton.api.openapi.operations import Example, Operation, Section
from mirliton.api.openapi.table import SECTIONS

__all__ = [
    "OPENAPI_PATH", "SECTIONS", "Example", "Operation", "Section", "openapi_document", "openapi_route",
]  # fmt: skip
