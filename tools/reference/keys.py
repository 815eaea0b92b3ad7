"""keys.md: every key of the schemas, with type, range, default, and what it does."""

from collections.abc import Iterator
from typing import Any

from mirliton.schemas import schema
from reference.effects import EFFECTS

HEAD = """# Keys

Made by `make reference` from the schemas: do not edit. Keys that a schema does not know are kept and returned, and do
nothing. What each key is shown to do in whole calls, and by which test, is in the [status](../status.md).
"""
PAGES = {
    "callflows.conference": (
        "Data of the callflow action `conference`.",
        "callflowsconference-data-of-the-callflow-action",
    ),
    "conferences": (
        "A stored conference, or the `config` of a callflow action. A stored one gets the defaults written into it; a "
        "`config` does not, and there an absent boolean means false, but for the tones, `play_welcome`, and "
        "`member.play_entry_prompt`, which are on.",
        "conferences-the-resource",
    ),
    "conferences.profile": (
        "How a room sounds and runs. Built-in values lie under the system's, those under the account's, those under "
        "named profiles, and all under the document's own `profile`, key by key; an empty text means no sound.",
        "conferencesprofile",
    ),
    "system_config.conferences": (
        "Configuration of all conferences: of an account over REST, of the server in the section `[conferences]` of "
        "the [settings](../mirliton.sample.toml). The account's lies over the server's.",
        None,
    ),
    "conferences.dial": ("Data of the action `dial`.", None),
}


class Undescribed(LookupError):
    """A key has no words, or there are words for a key that is not there."""


def keys_page() -> str:
    """The page; raises `Undescribed`."""
    for name in PAGES:
        told = {key: rule for key, rule in _keys(schema(name)) if "description" in rule or "properties" in rule}
        if odd := {key for key, _ in _keys(schema(name))} ^ told.keys() | EFFECTS[name].keys() - told.keys():
            raise Undescribed(f"{name}: {', '.join(sorted(odd))}")
    return "\n".join([HEAD, *(line for name, told in PAGES.items() for line in _table(name, *told))]).rstrip() + "\n"


def _table(name: str, text: str, anchor: str | None) -> Iterator[str]:
    yield f"## {name}\n"
    yield text + (f" [How each is shown](../status.md#{anchor})." if anchor else "") + "\n"
    yield "| Key | Type and range | Default | What it does |\n|---|---|---|---|"
    rules = schema(name)
    for key, rule in _keys(rules):
        kind = _type(rule) + (", required" if key in rules.get("required", []) else "")
        yield f"| `{key}` | {kind} | {_default(rule)} | {_does(name, key, rule)} |"
    yield ""


def _keys(rules: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, rule in sorted(rules.get("properties", {}).items()):
        yield f"{above}{key}", rule
        yield from _keys(rule, f"{above}{key}.")


def _type(rule: dict[str, Any]) -> str:
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    said = " or ".join(kinds)
    if "$ref" in rule:
        said += f", [{rule['$ref']}](#{rule['$ref'].replace('.', '')})"
    if "items" in rule:
        said += f" of {_type(rule['items'])}"
    said += _range(rule, "minimum", "maximum", "") + _range(rule, "minLength", "maxLength", " characters")
    if "minItems" in rule:
        said += f", at least {rule['minItems']}"
    if "enum" in rule:
        said += ": " + ", ".join(f"`{value}`" for value in rule["enum"])
    return (
        said + (f", `{rule['pattern']}`" if "pattern" in rule else "") + (", read-only" if rule.get("readOnly") else "")
    )


def _range(rule: dict[str, Any], low: str, high: str, unit: str) -> str:
    if low in rule and rule.get(low) == rule.get(high):
        return f", {rule[low]}{unit}"
    if low in rule and high in rule:
        return f", {rule[low]} to {rule[high]}{unit}"
    if low in rule:
        return f", at least {rule[low]}{unit}"
    return f", at most {rule[high]}{unit}" if high in rule else ""


def _default(rule: dict[str, Any]) -> str:
    value = rule.get("default")
    return "" if "default" not in rule else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _does(name: str, key: str, rule: dict[str, Any]) -> str:
    said, more = str(rule.get("description", "")), EFFECTS[name].get(key, "")
    stop = " " if said.endswith("?") else ". "
    return (said + stop + more if said and more else said + more).replace("|", "\\|")
