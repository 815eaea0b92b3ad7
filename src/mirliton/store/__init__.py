"""Documents, media files, and what is looked up in them; SQLite by default, PostgreSQL by URL."""

from mirliton.store.bootstrap import bootstrap
from mirliton.store.claims import Claim, ClaimTaken
from mirliton.store.document import Document, DocumentTooLarge, NotFound, StaleRevision, TooManyDocuments
from mirliton.store.lookup import Route, SipCredential
from mirliton.store.store import Store

__all__ = [
    "Claim",
    "ClaimTaken",
    "Document",
    "DocumentTooLarge",
    "NotFound",
    "Route",
    "SipCredential",
    "StaleRevision",
    "Store",
    "TooManyDocuments",
    "bootstrap",
]
