"""`mirliton check` points at the place and says what to do."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.check import check_files
from mirliton.check.positions import MAX_DEPTH, NotJson, Place, locate


def run(tmp_path: Path, text: str, kind: str | None = None) -> tuple[int, list[str]]:
    path = tmp_path / "document.json"
    path.write_text(text)
    out = io.StringIO()
    code = check_files([path], out, kind)
    return code, out.getvalue().replace(str(path), "FILE").splitlines()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"name": "Sales", "member": {"pins": ["1"]}}', "conference"),
        ('{"numbers": ["3000"], "flow": {"module": "conference", "data": {}}}', "callflow"),
        ('{"alone-sound": "conf-alone", "energy-level": 100}', "profile"),
        ('{"pin_timeout": 3000}', "config"),
    ],
)
def test_a_good_document_is_recognised_and_passes(tmp_path: Path, text: str, kind: str) -> None:
    assert run(tmp_path, text) == (0, [f"FILE: ok ({kind})"])


def test_every_error_is_shown_at_its_key(tmp_path: Path) -> None:
    text = '{\n  "name": "",\n  "member": {\n    "pins": ["12",\n      "x"]\n  },\n  "max_participants": "many"\n}\n'
    code, lines = run(tmp_path, text)
    assert code == 1
    assert [line.partition(": ")[0] for line in sorted(lines)] == ["FILE:2:3", "FILE:5:7", "FILE:7:3"]
    assert any("member.pins.0" not in line and "member.pins.1: may hold digits only" in line for line in lines)


def test_a_missing_key_is_shown_where_it_belongs(tmp_path: Path) -> None:
    code, lines = run(tmp_path, '[\n {"name": "ok"},\n  {"member": {}}]')
    assert code == 1
    assert lines == ["FILE:3:3: error: name: this key is required: add it [required]"]


def test_the_conference_inside_a_callflow_is_checked_where_it_stands(tmp_path: Path) -> None:
    text = """{"flow": {"module": "menu", "children": {"1":
      {"module": "conference", "data": {"config": {"name": "x", "profile":
         {"interval": 5}}}}}}}"""
    code, lines = run(tmp_path, text)
    assert code == 1
    assert lines == [
        "FILE:3:11: error: flow.children.1.data.config.profile.interval: "
        "must be at least 10, but it is 5: raise it [minimum]"
    ]


def test_a_pattern_that_would_not_run_is_an_error(tmp_path: Path) -> None:
    code, lines = run(tmp_path, '{"patterns": ["(a)\\\\1"], "flow": {"module": "conference"}}')
    assert code == 1
    assert lines[0].startswith("FILE:1:15: error: patterns.0: cannot be used as an expression")


def test_a_slip_of_the_pen_is_a_hint_and_no_error(tmp_path: Path) -> None:
    code, lines = run(tmp_path, '{"name": "x", "max_particpants": 5, "member": {"join_mutd": true}, "colour": 1}')
    assert code == 0
    assert lines[:-1] == [
        "FILE:1:15: hint: max_particpants: is stored, but nothing reads it: was 'max_participants' meant?",
        "FILE:1:48: hint: member.join_mutd: is stored, but nothing reads it: was 'join_muted' meant?",
    ]


def test_a_pin_in_both_lists_is_a_hint(tmp_path: Path) -> None:
    code, lines = run(tmp_path, '{"name": "x", "member": {"pins": ["1"]}, "moderator": {"pins": ["2", "1"]}}')
    assert code == 0
    assert "moderator.pins.1" in lines[0]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "1:1"),
        ('{"a": 1,}', "1:9"),
        ('{"a" 1}', "1:6"),
        ("{a: 1}", "1:2"),
        ("[1 2]", "1:4"),
        ('{"a": 1}\n x', "2:2"),
        ('{\n"a": "x}', "2:6"),
        ("[NaN]", "1:2"),
        ('{"name": "x",\n "name": "y"}', "2:2"),
        ("[" * (MAX_DEPTH + 5), f"1:{MAX_DEPTH + 2}"),
        ("5", "1:1"),
        ("[]", "1:1"),
        ('{"colour": 1}', "1:1"),
    ],
)
def test_what_is_no_document_is_shown_where_it_breaks(tmp_path: Path, text: str, place: str) -> None:
    code, lines = run(tmp_path, text)
    assert code == 1
    assert lines[0].startswith(f"FILE:{place}: error: ")


def test_unreadable_files_are_told_and_the_others_still_checked(tmp_path: Path) -> None:
    good, latin = tmp_path / "good.json", tmp_path / "latin.json"
    good.write_text('{"name": "x"}')
    latin.write_bytes(b'{"name": "\xe9"}')
    out = io.StringIO()
    assert check_files([tmp_path / "absent.json", tmp_path, latin, good], out) == 1
    text = out.getvalue()
    assert f"{good}: ok (conference)" in text
    assert "not UTF-8" in text
    assert len(text.splitlines()) == 4


def test_the_kind_can_be_said(tmp_path: Path) -> None:
    assert run(tmp_path, "{}", "profile") == (0, ["FILE: ok (profile)"])
    assert run(tmp_path, "[5]", "profile")[0] == 1
    with pytest.raises(ValueError, match="use one of"):
        run(tmp_path, "{}", "song")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(values, st.sampled_from([None, 2]))
def test_the_reader_agrees_with_pythons(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert locate(text).value == json.loads(text)


@given(st.text(alphabet='{}[]":,0 \n\\ntu'))
def test_any_text_is_json_for_both_or_for_neither(text: str) -> None:
    try:
        expected = json.loads(text)
    except json.JSONDecodeError:
        with pytest.raises(NotJson):
            locate(text)
    else:
        assert locate(text).value == expected


def test_places_count_lines_and_columns_from_one() -> None:
    places = locate('{"a": [1,\n  {"b": 2}]}').places
    assert places[()] == Place(1, 1)
    assert places["a", 0] == Place(1, 8)
    assert places["a", 1] == Place(2, 3)
    assert places["a", 1, "b"] == Place(2, 4)
