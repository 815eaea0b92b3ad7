"""Every row of the seeds: its type and range, its default, and what breaks it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.schemas import Invalid, schema, schema_ids, validate

from .seed_rows import NO_DEFAULT, TABLES, Row

ROWS = [pytest.param(schema_id, row, id=f"{schema_id}:{row.key}") for schema_id, rows in TABLES.items() for row in rows]
BASE: dict[str, dict[str, Any]] = {"callflows.conference": {}, "conferences": {"name": "x"}, "conferences.profile": {}}
DIGITS = st.from_regex("[0-9]{1,20}", fullmatch=True)
OBJECTS = {"config": st.just({"name": "x"})}
WRONG = {
    "boolean": st.integers() | st.just("yes") | st.lists(st.booleans()) | st.none(),
    "string": st.integers() | st.booleans() | st.lists(st.text()) | st.none(),
    "integer": st.booleans() | st.text("abc .") | st.floats(0.1, 0.9) | st.none(),
    "object": st.text() | st.lists(st.integers()) | st.booleans() | st.none(),
    "tone": st.integers() | st.lists(st.text()) | st.none(),
    "texts": st.text() | st.lists(st.integers(), min_size=1) | st.none(),
    "digits": st.text() | st.lists(st.integers(), min_size=1) | st.none(),
}


def right(row: Row) -> st.SearchStrategy[Any]:
    """Values that the row allows."""
    match row.type:
        case "boolean":
            return st.booleans()
        case "string":
            return st.text(min_size=row.low or 0, max_size=row.high or 300)
        case "integer":
            return st.integers(row.low, row.high)
        case "object":
            return OBJECTS.get(row.key, st.just({}))
        case "tone":
            return st.booleans() | st.text()
        case "texts":
            return st.lists(st.text())
        case _:
            return st.lists(DIGITS, unique=True)


def placed(schema_id: str, key: str, value: Any) -> dict[str, Any]:
    """A document that is good but for this key."""
    document: dict[str, Any] = dict(BASE[schema_id])
    *parents, last = key.split(".")
    holder = document
    for part in parents:
        holder = holder.setdefault(part, {})
    holder[last] = value
    return document


def read(document: Any, key: str) -> Any:
    for part in key.split("."):
        if part not in document:
            return NO_DEFAULT
        document = document[part]
    return document


@pytest.mark.parametrize(("schema_id", "row"), ROWS)
@given(data=st.data())
def test_a_right_value_is_kept_as_it_is(schema_id: str, row: Row, data: st.DataObject) -> None:
    value = data.draw(right(row))
    kept = read(validate(schema_id, placed(schema_id, row.key, value)), row.key)
    if row.type == "object":
        assert kept.items() >= value.items()
    else:
        assert kept == value
        assert type(kept) is type(value)


@pytest.mark.parametrize(("schema_id", "row"), ROWS)
@given(data=st.data())
def test_a_wrong_type_is_refused_at_its_path(schema_id: str, row: Row, data: st.DataObject) -> None:
    value = data.draw(WRONG[row.type])
    with pytest.raises(Invalid) as refusal:
        validate(schema_id, placed(schema_id, row.key, value))
    paths = set(refusal.value.errors)
    assert paths
    assert all(path == row.key or path.startswith(f"{row.key}.") for path in paths)
    for codes in refusal.value.errors.values():
        assert set(codes) & {"type", "pattern", "uniqueItems"}
        assert all(details["message"] for details in codes.values())


BOUNDED = [
    pytest.param(schema_id, row, id=f"{schema_id}:{row.key}")
    for schema_id, rows in TABLES.items()
    for row in rows
    if row.low is not None or row.high is not None
]


def sized(row: Row, size: int) -> int | str:
    return size if row.type == "integer" else "ä" * size


@pytest.mark.parametrize(("schema_id", "row"), BOUNDED)
def test_the_bounds_are_the_last_allowed_values(schema_id: str, row: Row) -> None:
    for bound, step, code in ((row.low, -1, "min"), (row.high, 1, "max")):
        if bound is None:
            continue
        validate(schema_id, placed(schema_id, row.key, sized(row, bound)))
        with pytest.raises(Invalid) as refusal:
            validate(schema_id, placed(schema_id, row.key, sized(row, bound + step)))
        name = f"{code}imum" if row.type == "integer" else f"{code}Length"
        assert refusal.value.errors[row.key][name]["target"] == bound


@pytest.mark.parametrize(("schema_id", "row"), ROWS)
def test_an_absent_key_gets_its_default_and_nothing_else_does(schema_id: str, row: Row) -> None:
    document: dict[str, Any] = dict(BASE[schema_id])
    if row.key.startswith("welcome_prompt."):
        document["welcome_prompt"] = {}
    if row.key == "name":
        return
    found = read(validate(schema_id, document), row.key)
    if row.key in ("member", "moderator", "welcome_prompt"):
        assert found is NO_DEFAULT or isinstance(found, dict)
    else:
        assert found == row.default


def test_the_schemas_hold_the_seeds_keys_and_no_others() -> None:
    for schema_id, rows in TABLES.items():
        found = set(schema(schema_id)["properties"])
        assert found - {"focus"} == {row.key for row in rows if "." not in row.key}
    assert "focus" in schema("conferences")["properties"]
    for part in ("member", "moderator"):
        inner = {row.key.partition(".")[2] for row in TABLES["conferences"] if row.key.startswith(f"{part}.")}
        assert set(schema("conferences")["properties"][part]["properties"]) == inner


def test_the_read_only_focus_is_ignored_in_input() -> None:
    assert "focus" not in validate("conferences", {"name": "x", "focus": {"any": "thing"}})


def test_only_a_conference_needs_a_name() -> None:
    with pytest.raises(Invalid) as refusal:
        validate("conferences", {})
    assert set(refusal.value.errors) == {"name"}
    assert set(refusal.value.errors["name"]) == {"required"}
    validate("conferences.profile", {})
    validate("callflows.conference", {})


@given(
    st.dictionaries(st.text(min_size=1).map(lambda key: f"x-{key}"), st.integers() | st.text() | st.lists(st.none()))
)
def test_unknown_keys_are_kept(extra: dict[str, Any]) -> None:
    for schema_id in TABLES:
        assert validate(schema_id, BASE[schema_id] | extra).items() >= extra.items()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(
        {part for rows in TABLES.values() for row in rows for part in row.key.split(".")} | {"flow", "module", "data",
         "children", "sip", "profiles", "numbers", "patterns", "endpoints"})), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("schema_id", schema_ids())
@given(value=json_values)
def test_any_json_is_either_valid_or_refused_with_reasons_and_valid_stays_valid(schema_id: str, value: Any) -> None:
    try:
        first = validate(schema_id, value)
    except Invalid as refusal:
        assert refusal.errors
        for codes in refusal.errors.values():
            assert all(details["message"] for details in codes.values())
    else:
        assert validate(schema_id, first) == first
