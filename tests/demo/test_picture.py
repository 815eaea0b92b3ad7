"""The picture is drawn."""

from pathlib import Path

import pytest

from mirliton.demo.picture import draw

from .test_verification import RIGHT, a_scene


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_picture_of_three_recordings_is_written(tmp_path: Path) -> None:
    draw(a_scene(RIGHT, muted="Carl"), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
