"""`shammah doctor` as its users type it."""

import json
from pathlib import Path

from tests.whole.command import Home


def test_a_sound_machine_ends_well_and_a_fault_does_not(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", {"COLUMNS": "60"})
    sound = home.run("doctor")
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "\x1b" not in sound.stdout
    assert all(len(line) < 60 or line.lstrip().startswith("$") for line in sound.stdout.splitlines())
    assert not home.path.exists(), "it looks, and changes nothing"
    home.variables["SHAMMAH_MODEL_PATH"] = str(tmp_path / "gone.gguf")
    broken = home.run("doctor", "--json")
    assert broken.returncode == 1
    found = {row["name"]: row for row in json.loads(broken.stdout)}
    assert (found["model"]["state"], found["model"]["command"]) == ("broken", "unset SHAMMAH_MODEL_PATH")
