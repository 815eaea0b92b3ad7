"""Calls that conferences make (semantics 6.7): `dialler.Dialler` is the whole of it."""
