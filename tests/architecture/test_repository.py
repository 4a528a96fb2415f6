"""What the repository promises about itself."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
SEPARATORS = re.compile(r"[-_.]+")


def canonical(requirement: str) -> str:
    name = re.split(r"[\s;<>=!~\[]", requirement, maxsplit=1)[0]
    return SEPARATORS.sub("-", name).lower()


def project(member: str) -> dict[str, object]:
    return tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]


LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = {canonical(line) for line in LOCK.splitlines() if line and line[0].isalnum()}
OURS = {canonical(str(project(member)["name"])) for member in MEMBERS}


def test_every_workspace_member_is_listed_one_by_one():
    present = {
        str(path.parent.relative_to(ROOT))
        for folder in ("libs", "services")
        for path in (ROOT / folder).glob("*/pyproject.toml")
    }
    assert set(MEMBERS) == present


@pytest.mark.parametrize("member", MEMBERS)
def test_the_lock_holds_every_dependency_of_a_member(member: str):
    wanted = {canonical(name) for name in project(member)["dependencies"]}
    assert wanted - OURS <= LOCKED, "the lock is stale: run make lock"


def test_every_locked_version_has_a_hash():
    pinned = [block for block in re.split(r"\n(?=\S)", LOCK) if block and block[0].isalnum()]
    assert pinned
    assert [block.splitlines()[0] for block in pinned if "--hash=sha256:" not in block] == []


def test_the_lock_names_no_address():
    assert not re.search(r"https?://|--index-url|--find-links", LOCK)


def test_the_makefile_installs_every_member():
    makefile = (ROOT / "Makefile").read_text()
    listed = re.search(r"^MEMBERS := (.*)$", makefile, re.MULTILINE)
    assert listed is not None
    assert listed[1].split() == MEMBERS


def test_decision_records_are_numbered_without_a_hole():
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_relative_link_of_the_documents_leads_somewhere():
    documents = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    broken = [
        f"{document}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#\s]+)", (ROOT / document).read_text())
        if "://" not in target and not ((ROOT / document).parent / target).exists()
    ]
    assert documents
    assert broken == []
