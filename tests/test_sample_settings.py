"""`docs/mirliton.sample.toml` and `mirliton.settings` tell the same: every key, its default, and a reason."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from mirliton.settings import Settings, load_settings

SAMPLE = Path(__file__).parent.parent / "docs" / "mirliton.sample.toml"
LINES = SAMPLE.read_text().splitlines()
KEY = re.compile(r"(# )?([a-z_]+) = ")


def keys_of(model: type[BaseModel], prefix: str = "") -> dict[str, object]:
    """Dotted key -> default."""
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            found |= keys_of(type(field.default), f"{name}.")
        else:
            found[prefix + name] = field.default
    return found


def keys_in_sample() -> dict[str, tuple[int, bool]]:
    """Dotted key -> (line, whether it is commented out)."""
    section, found = "", {}
    for number, line in enumerate(LINES):
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif match := KEY.match(line):
            found[section + match[2]] = (number, bool(match[1]))
    return found


def test_every_key_is_there_and_no_other() -> None:
    assert sorted(keys_in_sample()) == sorted(keys_of(Settings))


def test_the_values_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIRLITON_DATA", raising=False)
    assert load_settings(SAMPLE).model_dump() == Settings().model_dump()


def test_only_keys_without_a_default_are_commented_out() -> None:
    defaults = keys_of(Settings)
    assert {key for key, (_, commented) in keys_in_sample().items() if commented} == {
        key for key, default in defaults.items() if default is None
    }


@pytest.mark.parametrize("key", sorted(keys_in_sample()))
def test_every_key_has_its_reason_above(key: str) -> None:
    number = keys_in_sample()[key][0]
    while KEY.match(LINES[number - 1]):  # a comment can be about several keys in a row
        number -= 1
    assert LINES[number - 1].startswith("# ")
