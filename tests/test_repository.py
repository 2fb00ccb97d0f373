"""What must hold of the repository as a whole: sizes, texts, pins and documents."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("rtasmr", "offline", "models", "replay")
MAX_FILE_BYTES = 500_000
MAX_MODULE_LINES = 500

# Written so that this file does not match itself.
FORBIDDEN_TEXT = {
    "a home folder": re.compile(r"(?<![\w.])/(?:[h]ome|[U]sers)/\w+|(?<![\w.])/[r]oot/|[A-Z]:\\\\?[U]sers\\"),
    "a folder of one machine": re.compile(r"(?<![\w./}>])/(?:[w]ork|[o]pt|[m]nt|[s]rv)/\w+"),
    "a package registry": re.compile(
        r"[p]ypi\.(?:org|python)|[p]ythonhosted\.org|[a]naconda\.org|[n]pmjs\.|--(?:extra-)?[i]ndex-url"
    ),
}


@cache
def tracked() -> tuple[Path, ...]:
    """Return the files under version control; skip where there is none."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git working tree")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert paths
    return tuple(path for path in paths if path.is_file())


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_large() -> None:
    large = {name_of(path): path.stat().st_size for path in tracked()}
    assert {name: size for name, size in large.items() if size > MAX_FILE_BYTES} == {}


def test_no_module_is_long() -> None:
    lengths = {
        name_of(path): path.read_text(encoding="utf-8").count("\n")
        for path in tracked()
        if path.suffix == ".py" and not name_of(path).startswith("tests/")
    }
    assert lengths
    assert {name: n for name, n in lengths.items() if n > MAX_MODULE_LINES} == {}


@pytest.mark.parametrize("what", FORBIDDEN_TEXT)
def test_no_text_names_a_place_of_its_writer(what: str) -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{name_of(path)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if FORBIDDEN_TEXT[what].search(line)
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a home folder", "/" + "home/ada/data"),
        ("a home folder", "open('/" + "root/x')"),
        ("a home folder", "C:\\" + "Users\\ada"),
        ("a folder of one machine", "cd /" + "work/main"),
        ("a package registry", "https://pypi" + ".org/simple"),
        ("a package registry", "pip install --index" + "-url x"),
    ],
)
def test_places_are_recognised(what: str, text: str) -> None:
    assert FORBIDDEN_TEXT[what].search(text)


@pytest.mark.parametrize("text", ["see docs/home/start", "https://example.org/work/1", "./work/x", "~/data"])
def test_other_paths_are_let_pass(text: str) -> None:
    assert not any(pattern.search(text) for pattern in FORBIDDEN_TEXT.values())


@pytest.mark.parametrize("folder", ["", *PACKAGES])
def test_every_package_is_explained(folder: str) -> None:
    readme = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# ")
    assert len(readme.splitlines()) > 5


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert len(versions) == len(set(versions))
    kinds = set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Fixed"}


def pins() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_are_names_and_versions_only() -> None:
    odd = [
        line for line in pins() if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*", line)
    ]
    assert odd == []
    counts = Counter(canonical(line.partition("==")[0]) for line in pins())
    assert [name for name, n in counts.items() if n > 1] == []


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(dependency for extra in extras for dependency in extra)]
    # The pins were made on Linux.
    names = {
        canonical(re.split(r"[\s\[<>=!~;]", dependency, maxsplit=1)[0])
        for dependency in wanted
        if "== 'darwin'" not in dependency
    }
    assert names - {canonical(line.partition("==")[0]) for line in pins()} == set()


def test_test_files_have_names_of_their_own() -> None:
    tests = [path for path in tracked() if name_of(path).startswith("tests/")]
    counts = Counter(path.name for path in tests if path.name.startswith("test_"))
    assert [name for name, n in counts.items() if n > 1] == []
    assert [name_of(path) for path in tests if path.name == "__init__.py"] == []
