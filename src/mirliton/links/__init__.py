"""Public links into conferences (semantics 2.3): who gets one, what is in it, and when it stops to work."""

from mirliton.links.links import Links, LinkStatistics
from mirliton.links.tokens import Invitation, LinkTokens

__all__ = ["Invitation", "LinkStatistics", "LinkTokens", "Links"]
