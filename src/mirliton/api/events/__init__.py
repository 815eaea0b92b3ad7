"""Events of rooms over WebSocket (semantics 7)."""
