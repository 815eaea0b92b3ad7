"""Pages written by hand: their links lead somewhere, and what they name exists."""

import re
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from mirliton.cli import app
from mirliton.schemas import schema_ids
from mirliton.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
SECTIONS = {
    name: set(field.annotation.model_fields)
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}
SETTING = re.compile(r"`(" + "|".join(SECTIONS) + r")\.([a-z_]+)`")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def exists(section: str, key: str) -> bool:
    """Whether this is a setting, or one of the schemas and modules whose names look like settings."""
    names = f"{section}.{key}"
    return key in SECTIONS[section] or names in schema_ids() or (ROOT / f"src/mirliton/{section}/{key}.py").exists()


def title(page: Path) -> str:
    """The page as a test shows it."""
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not heading or heading in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_settings_that_a_page_names_exist(page: Path) -> None:
    named = set(SETTING.findall(page.read_text()))
    assert not {f"{section}.{key}" for section, key in named if not exists(section, key)}


def test_every_option_of_a_command_is_in_the_reference_and_no_other() -> None:
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    for name in ("serve", "call", "phone", "demo"):
        part = text.partition(f"## `mirliton {name}")[2].partition("\n## ")[0]
        rows = " ".join(re.findall(r"^\| (`--.+?) \|", part, re.MULTILINE))
        written = set(re.findall(r"--[a-z-]+", rows))
        there = {option for given in COMMANDS[name].params for option in (*given.opts, *given.secondary_opts)}
        assert written == {option for option in there if option.startswith("--")} - {"--help"}, name


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    listed = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in LINK.findall(index)}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page.name != "README.md"}
    assert pages <= listed
