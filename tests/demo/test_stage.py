"""What the demo shows, with and without a terminal."""

import io

from rich.console import Console

from mirliton.demo.stage import Row, Stage, roster_table


def participant(name: str, *, talking: bool = False, speak: bool = True) -> dict[str, object]:
    return {
        "caller_id_name": name,
        "caller_id_number": "1001",
        "duration": 7,
        "conference_channel_vars": {"talking": talking, "speak": speak, "hear": True},
    }


ROWS = [
    Row.of(participant("Anna", talking=True)),
    Row.of(participant("Bruno")),
    Row.of(participant("Carl", talking=True, speak=False)),
]


def shown(terminal: bool) -> tuple[Stage, io.StringIO]:
    text = io.StringIO()
    return Stage(Console(file=text, force_terminal=terminal, width=100, highlight=False)), text


def test_without_a_terminal_the_roster_is_a_line_when_it_changes() -> None:
    stage, text = shown(terminal=False)
    with stage.open(), stage.task("they talk", total=2) as bar:
        for rows in (ROWS, ROWS, ROWS[:1]):
            stage.roster(rows)
            bar.at(1)
        stage.say("pip install 'mirliton[pictures]'")
    assert text.getvalue().splitlines() == [
        "they talk …",
        "  in the room: Anna talking, Bruno listening, Carl muted",
        "  in the room: Anna talking",
        "pip install 'mirliton[pictures]'",
    ]


def test_on_a_terminal_lines_stay_and_the_roster_is_drawn() -> None:
    stage, text = shown(terminal=True)
    with stage.open(), stage.task("they talk", total=2) as bar:
        stage.roster(ROWS)
        bar.at(1)
        stage.say("a line")
    assert "a line" in text.getvalue()
    assert "they talk" in text.getvalue()


def test_the_table_tells_who_talks_and_who_is_muted() -> None:
    text = io.StringIO()
    Console(file=text, width=100).print(roster_table(ROWS))
    lines = [line for line in text.getvalue().splitlines() if "1001" in line]
    assert [line.split("│")[3].strip() for line in lines] == ["talking", "listening", "muted"]
    assert "7 s" in lines[0]
