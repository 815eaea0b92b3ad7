"""What the command line says before a server runs."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mirliton.cli import app

COMMANDS = ("serve", "call", "phone", "check", "demo", "bench")


def test_a_misspelt_setting_is_named_with_the_list_of_all(tmp_path: Path) -> None:
    config = tmp_path / "mirliton.toml"
    config.write_text('[sip]\nlisen = "127.0.0.1:5060"\n')
    result = CliRunner().invoke(app, ["serve", "--config", str(config)])
    assert result.exit_code == 2
    assert "sip.lisen: no such setting: see docs/mirliton.sample.toml" in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: mirliton {command} " in result.output
