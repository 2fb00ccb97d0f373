"""Which part may import which, read from the source and seen in fresh interpreters; and no unsafe loading."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("rtasmr", "offline", "models", "replay")

VALUES = ("rtasmr.types", "rtasmr.errors", "rtasmr.grid", "rtasmr.config")
CORE = (
    "rtasmr.buffer",
    "rtasmr.aligner",
    "rtasmr.features.*",
    "rtasmr.window",
    "rtasmr.predictor",
    "rtasmr.timing",
    "rtasmr.pulse_rate",
    "rtasmr.pulse_quality",
    "rtasmr.pulse_monitor",
    "rtasmr.pipeline",
)
EDGE = (
    "rtasmr.streams",
    "rtasmr.raw_inlet",
    "rtasmr.discovery",
    "rtasmr.sources.*",
    "rtasmr.inference",
    "rtasmr.onnx_session",
    "rtasmr.session",
    "rtasmr.xdf*",
    "rtasmr.dataset",
    "rtasmr.media",
)
"""Modules at the rim: each wraps one library and knows nothing of those that drive it."""

QT = ("PyQt5", "pyqtgraph")
QT_MODULES = (
    "rtasmr.view.look",
    "rtasmr.view.items",
    "rtasmr.view.plots",
    "rtasmr.view.wave",
    "rtasmr.view.panel",
    "rtasmr.view.programme_bar",
    "rtasmr.view.help",
    "rtasmr.view.mainwindow",
    "rtasmr.view.application",
    "rtasmr.view.__main__",
    "rtasmr.player.window",
    "rtasmr.player.screen",  # beside the window: the displays, and what is drawn on it
    "rtasmr.player.strip",
    "rtasmr.player.words",
    "rtasmr.player.__main__",
    "rtasmr.start.child",  # the start page, and beside it what it is made of
    "rtasmr.start.widgets",
    "rtasmr.start.forms",
    "rtasmr.start.page",
    "rtasmr.start.__main__",
    "rtasmr.probes",  # run in a process of its own by `rtasmr doctor`
)
TRAINING = ("torch", "torchvision", "xgboost", "sklearn", "onnx", "offline", "models")
IO = ("time", "threading", "queue", "asyncio", "socket", "multiprocessing", "subprocess")
FILES = ("os", "io", "pathlib", "shutil", "tempfile", "datetime")
DRIVERS = (
    "rtasmr.pipeline",
    "rtasmr.acquisition",
    "rtasmr.engine",
    "rtasmr.recorder",
    "rtasmr.live",
    "rtasmr.run",
    "rtasmr.view",
)


@dataclass(frozen=True)
class Rule:
    """``modules`` must reach none of ``never``, over any number of our own modules."""

    name: str
    modules: tuple[str, ...]
    never: tuple[str, ...]
    but: tuple[str, ...] = ()


RULES = (
    Rule("runtime without training", ("rtasmr*", "replay*"), TRAINING),
    Rule("rtasmr below replay", ("rtasmr*",), ("replay",)),
    Rule("values know nobody", VALUES, (*QT, *IO, "pylsl", "onnxruntime")),
    Rule("core without clock, thread, socket or file", CORE, (*IO, *FILES)),
    Rule("core without libraries of the edge", CORE, (*QT, "pylsl", "onnxruntime", "av", "polars", "pyxdf")),
    Rule("edge below what drives it", EDGE, DRIVERS, but=("rtasmr.sources.cli",)),
    Rule("Qt in the window only", ("rtasmr*", "replay*", "offline*"), QT, but=QT_MODULES),
    Rule(
        "view draws what it is given",
        ("rtasmr.view", "rtasmr.view.*"),
        ("pylsl", "onnxruntime", "rtasmr.features"),
    ),
    Rule(
        "view below the engine",
        ("rtasmr.view", "rtasmr.view.*"),
        ("rtasmr.engine", "rtasmr.live", "rtasmr.streams"),
    ),
    Rule("replay feeds, and computes nothing", ("replay*",), ("onnxruntime", *DRIVERS)),
    Rule("models alone", ("models*",), ("rtasmr", "offline", "replay")),
    Rule(
        "offline away from LSL and the window",
        ("offline*",),
        ("pylsl", "replay", "rtasmr.engine", "rtasmr.streams", "rtasmr.discovery", "rtasmr.link"),
    ),
)


@dataclass(frozen=True)
class Import:
    target: str
    line: int


@cache
def sources() -> dict[str, Path]:
    """Return our modules: dotted name to file."""
    return {
        module_name(path.relative_to(ROOT)): path for pkg in PACKAGES for path in (ROOT / pkg).rglob("*.py")
    }


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_in(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[Import]:
    """Yield every import of a module, those inside functions too, as dotted names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join((*parents, *filter(None, [base])))
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno)
        elif is_call_of(node, "import_module", "__import__") and isinstance(node.args[0], ast.Constant):
            yield Import(str(node.args[0].value), node.lineno)


def is_call_of(node: ast.AST, *names: str) -> bool:
    """Whether ``node`` calls a function of one of these names, bare or as an attribute."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return called in names


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(sources()[module].read_text(encoding="utf-8"))


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    is_package = sources()[module].name == "__init__.py"
    return tuple(imports_in(tree_of(module), module, is_package=is_package))


def own_module(target: str) -> str | None:
    """Return our module that an imported name lives in."""
    while target:
        if target in sources():
            return target
        target = target.rpartition(".")[0]
    return None


def packages_of(module: str) -> Iterator[str]:
    """Yield the packages whose ``__init__`` runs when ``module`` is imported."""
    while module := module.rpartition(".")[0]:
        yield module


def chains_to(start: str, never: tuple[str, ...]) -> Iterator[str]:
    """Yield the shortest way to every forbidden import, as ``file:line imports name``."""
    waiting = deque([(start, "")])
    seen = {start}
    while waiting:
        module, way = waiting.popleft()
        here = sources()[module].relative_to(ROOT).as_posix()
        for found in imports_of(module):
            step = f"{way}{here}:{found.line} imports {found.target}"
            own = own_module(found.target)
            if any(is_within(found.target, name) for name in never):
                yield step
            elif own is not None:
                for name in (own, *packages_of(own)):
                    if name not in seen:
                        seen.add(name)
                        waiting.append((name, f"{step}; "))


def is_within(target: str, name: str) -> bool:
    return target == name or target.startswith(f"{name}.")


def matching(patterns: tuple[str, ...], but: tuple[str, ...] = ()) -> list[str]:
    """Return our modules that fit a pattern; ``x.*`` includes the package ``x`` itself."""
    found = [
        module
        for module in sorted(sources())
        if any(fnmatchcase(module, p) or f"{module}.*" == p for p in patterns) and module not in but
    ]
    assert found, f"no module fits {patterns}: the rule guards nothing"
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_module_reaches_what_it_must_never_import(rule: Rule) -> None:
    broken = [way for module in matching(rule.modules, rule.but) for way in chains_to(module, rule.never)]
    assert not broken, f"{rule.name}:\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("modules", "ours", "theirs"),
    [
        pytest.param(VALUES, VALUES, ("numpy",), id="values"),
        # Pillow: the published picture path is part of the definition of the picture features.
        pytest.param(CORE, (*VALUES, *CORE), ("numpy", "scipy", "librosa.filters", "PIL.Image"), id="core"),
    ],
)
def test_the_core_imports_only_what_is_listed(
    modules: tuple[str, ...], ours: tuple[str, ...], theirs: tuple[str, ...]
) -> None:
    allowed = (*matching(ours), *theirs)
    strangers = [
        f"{sources()[module].relative_to(ROOT)}:{found.line} imports {found.target}"
        for module in matching(modules)
        for found in imports_of(module)
        if found.target.partition(".")[0] not in sys.stdlib_module_names
        and not any(is_within(found.target, name) for name in allowed)
    ]
    assert not strangers


def test_no_two_modules_need_each_other() -> None:
    graph = {
        module: {
            own for found in imports_of(module) if (own := own_module(found.target)) not in (None, module)
        }
        for module in sources()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_a_forbidden_import_is_reported_with_the_way_to_it() -> None:
    (way, *_) = chains_to("rtasmr.acquisition", ("pylsl",))
    first, second = way.split("; ")
    assert re.fullmatch(r"rtasmr/acquisition\.py:\d+ imports rtasmr\.discovery\.\w+", first)
    assert re.fullmatch(r"rtasmr/discovery\.py:\d+ imports pylsl", second)


def test_imports_in_functions_and_relative_ones_are_seen() -> None:
    tree = ast.parse(
        "from . import b\nfrom .c import d\nfrom ..e import f\n"
        "def g():\n    import torch.nn\n    import_module('xgboost')\n"
    )
    found = {i.target: i.line for i in imports_in(tree, "rtasmr.view.state", is_package=False)}
    assert found == {
        "rtasmr.view.b": 1,
        "rtasmr.view.c.d": 2,
        "rtasmr.e.f": 3,
        "torch.nn": 5,
        "xgboost": 6,
    }
    in_package = imports_in(ast.parse("from .c import d"), "rtasmr.view", is_package=True)
    assert [i.target for i in in_package] == ["rtasmr.view.c.d"]


@pytest.mark.parametrize(
    ("modules", "but", "never"),
    [
        pytest.param(
            (*VALUES, *CORE), (), (*QT, *TRAINING, "pylsl", "onnxruntime", "av", "polars"), id="core"
        ),
        pytest.param(("rtasmr*",), QT_MODULES, (*QT, *TRAINING, "replay"), id="runtime"),
        pytest.param(
            ("rtasmr.view", "rtasmr.view.*"),
            QT_MODULES,
            (*QT, "pylsl", "onnxruntime", "rtasmr.features"),
            id="view, no Qt",
        ),
        pytest.param(
            ("rtasmr.view", "rtasmr.view.*"),
            (),
            ("pylsl", "onnxruntime", "rtasmr.features", "rtasmr.engine"),
            id="window",
        ),
        pytest.param(("replay*",), (), (*QT, *TRAINING, "onnxruntime", "rtasmr.engine"), id="replay"),
        pytest.param(("models*",), (), ("rtasmr", "offline", "replay"), id="models"),
        pytest.param(
            ("offline*",), (), (*QT, "pylsl", "replay", "rtasmr.engine", "rtasmr.link"), id="offline"
        ),
    ],
)
def test_a_fresh_interpreter_loads_nothing_forbidden(
    modules: tuple[str, ...], but: tuple[str, ...], never: tuple[str, ...]
) -> None:
    names = [name for name in matching(modules, but) if not name.endswith("__main__")]
    code = "import importlib, json, sys\n"
    code += f"for name in {names!r}: importlib.import_module(name)\n"
    code += "print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert set(names) <= set(loaded)
    assert [name for name in loaded if any(is_within(name, n) for n in never)] == []


UNSAFE_MODULES = ("pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "yaml")
"""Readers that run what a file says."""

UNSAFE_BUT = {
    "offline.array_pickle": ("pickle",),  # an unpickler that knows arrays only
    "offline.checkpoint": ("pickle",),  # the error that torch raises; the file is read with weights_only
    "models.resnet": ("pickle",),  # the error that torch raises; the file is read with weights_only
}


def unsafe_calls(tree: ast.Module) -> Iterator[str]:
    """Yield calls that could run code out of data, as ``line: what``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        keywords = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
        name = ast.unparse(node.func)
        if name in ("eval", "exec", "os.system", "os.popen"):
            yield f"{node.lineno}: {name}"
        if name.endswith(("connection.recv", "connection.send")):
            yield f"{node.lineno}: {name} unpickles; use recv_bytes"
        if keywords.get("shell"):
            yield f"{node.lineno}: {name} with shell=True"
        if "allow_pickle" in keywords and keywords["allow_pickle"] is not False:
            yield f"{node.lineno}: {name} with allow_pickle"
        if name == "torch.load" and keywords.get("weights_only") is not True:
            yield f"{node.lineno}: torch.load without weights_only=True"


def test_nothing_shipped_runs_code_out_of_data() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call}"
        for module, path in sources().items()
        for call in unsafe_calls(tree_of(module))
    ]
    found += [
        f"{path.relative_to(ROOT)}:{item.line} imports {item.target}"
        for module, path in sources().items()
        for item in imports_of(module)
        for name in UNSAFE_MODULES
        if is_within(item.target, name) and name not in UNSAFE_BUT.get(module, ())
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "eval('1')",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trust)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "subprocess.run(words, shell=True)",
        "self.connection.recv()",
    ],
)
def test_unsafe_calls_are_found(line: str) -> None:
    assert len(list(unsafe_calls(ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line", ["network.eval()", "np.load(path, allow_pickle=False)", "torch.load(path, weights_only=True)"]
)
def test_safe_calls_are_let_pass(line: str) -> None:
    assert list(unsafe_calls(ast.parse(line))) == []
