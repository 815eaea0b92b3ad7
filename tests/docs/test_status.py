"""docs/status.md: every row of the three schemas, and tests that exist."""

import re
from pathlib import Path

import pytest

from tests.schemas.seed_rows import ACTION, CONFERENCE, PROFILE

ROOT = Path(__file__).parents[2]
STATUS = (ROOT / "docs" / "status.md").read_text()
TABLES = {"callflows.conference": ACTION, "conferences`": CONFERENCE, "conferences.profile": PROFILE}
ROW = re.compile(r"^\| `([^`]+)` \| (.+) \| (.+) \|$", re.MULTILINE)
PROOF = re.compile(r"([a-z_/]+\.py): ([a-z0-9_, ]+)")


def section(title: str) -> str:
    """The text under a heading."""
    _, _, rest = STATUS.partition(f"## `{title}")
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize("title", TABLES)
def test_every_row_of_the_seeds_has_its_row(title: str) -> None:
    read_only = ["focus"] if TABLES[title] is CONFERENCE else []  # checked nowhere, as clients cannot write it
    rows = [match[1] for match in ROW.finditer(section(title))]
    assert sorted(rows) == sorted([row.key for row in TABLES[title]] + read_only)


def test_no_key_is_said_to_do_nothing_but_the_one_that_a_later_version_brings() -> None:
    without = [match[1] for match in ROW.finditer(STATUS) if match[2].startswith("nothing yet")]
    assert without == ["video"]


@pytest.mark.parametrize("key, proofs", [(match[1], match[3]) for match in ROW.finditer(STATUS)])
def test_the_tests_that_prove_a_row_exist(key: str, proofs: str) -> None:
    named = [(path, name) for path, names in PROOF.findall(proofs) for name in names.split(", ")]
    assert named or key == "video"
    for path, name in named:
        text = (ROOT / "tests" / path).read_text()
        assert re.search(rf"^(async )?def test_{name.strip()}\b", text, re.MULTILINE), f"{path} has no test_{name}"
