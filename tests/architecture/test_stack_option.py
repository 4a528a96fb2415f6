"""The option `--stack` of a test run."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_run_on_containers_ends_at_once_and_says_what_to_do_where_no_docker_answers(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--stack=containers", "tests/contract"],
        cwd=ROOT,
        # No properties and no context of whoever runs this may name another engine.
        env=os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 4  # pytest's code for a wrong command line: no test was run
    assert "collected" not in done.stdout
    assert "--stack=containers needs a Docker engine, and none answers" in done.stderr
    assert "set DOCKER_HOST" in done.stderr
    assert "Traceback" not in done.stderr
