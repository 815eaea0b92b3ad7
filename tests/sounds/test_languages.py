"""The order of prompt languages (semantics 5.3)."""

import pytest

from mirliton.sounds.languages import language_chain, language_rounds, same_tongue


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


def test_the_defaults_come_after_the_wanted_language_and_none_comes_twice() -> None:
    assert language_rounds("fr-fr", "de", "en-us") == [["fr-fr", "fr"], ["de"], ["en-us", "en"]]
    assert language_rounds("en-gb", "en-us", "en-us") == [["en-gb", "en"], ["en-us"]]
    assert language_rounds("", "de", "en-us") == [["de"], ["en-us", "en"]]


def test_varieties_of_a_language_are_one_tongue() -> None:
    assert same_tongue("en-gb", "en-us")
    assert same_tongue("fr-fr_en-us", "fr")
    assert not same_tongue("de", "nl")
