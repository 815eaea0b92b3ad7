"""The order of prompt languages (semantics 5.3)."""

import pytest

from mirliton.sounds.languages import language_chain


@pytest.mark.parametrize(
    ("language", "chain"),
    [
        ("fr-fr_en-us", ["fr-fr_en-us", "fr-fr", "fr"]),
        ("FR-fr", ["fr-fr", "fr"]),
        ("fr", ["fr"]),
        ("", ["en-us"]),
        ("../../etc", ["en-us"]),
    ],
)
def test_a_language_falls_back_to_its_parents(language: str, chain: list[str]) -> None:
    assert language_chain(language, "en-us") == chain
