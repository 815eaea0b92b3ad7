"""Who is told when a document was stored, whoever stored it."""

from collections.abc import Callable

from mirliton.store import Document

Listener = Callable[[str, Document], None]


class Changes:
    """Call it with "created", "changed" or "deleted" and the document; every listener hears of it, in order."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    def __call__(self, event: str, document: Document) -> None:
        for listener in self.listeners:
            listener(event, document)
