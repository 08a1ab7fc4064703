#!/usr/bin/env python3
"""Finds import cycles: within a crate, a file may use another one only if that one does not use the first, directly or indirectly.

Cargo sees to it between crates; this sees to it within them. It reads the `use` lines and the paths that begin with `crate`, `super` or
`self`, follows re-exports to the file that defines a name, and leaves out what only tests compile. Prints each circle and exits with 1.

    daemon/imports/check.py [CRATE_FOLDER]...       every crate of the workspace where none is named
"""

import re
import sys
from pathlib import Path

NAME = r"[A-Za-z_]\w*"
ITEM = re.compile(rf"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:const\s+|async\s+|unsafe\s+)*(?:fn|struct|enum|union|trait|type|const|static|macro_rules!)\s+({NAME})", re.M)
MODULE = re.compile(rf"((?:#\[[^\]]*\]\s*)*)(?:pub(?:\([^)]*\))?\s+)?mod\s+({NAME})\s*([;{{])")
USE = re.compile(r"(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?\buse\s+([^;]+);")
PATH = re.compile(rf"\b(?:crate|super|self)(?:::{NAME})+")


def bare(text):
    """The code without comments and without the content of literals."""
    kept = r'(r#+".*?"#+|r"[^"]*"|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\')'
    return re.sub(rf"//[^\n]*|/\*.*?\*/|{kept}", lambda found: '""' if found[1] else "", text, flags=re.S)


def end_of_block(text, start):
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if text[place] == "}" and depth == 0:
            return place + 1
    return len(text)


def without_tests(text):
    """Removes inline modules and items that are compiled only for tests."""
    while found := re.search(r"#\[cfg\((?:test|any\(test[^\]]*\))\)\]", text):
        end = re.compile(r"[;{]").search(text, found.end())
        if not end:
            break
        stop = end.end() if end[0] == ";" else end_of_block(text, end.start())
        text = text[: found.start()] + text[stop:]
    return text


def leaves(tree, before=()):
    """The paths of a `use` tree, each with the name that it gets here: `a::{b, c as d}` is (a, b) as b and (a, c) as d."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace >= 0:
        before = (*before, *filter(None, (part.strip() for part in tree[:brace].split("::"))))
        depth, begin, inner = 0, 0, tree[brace + 1 : tree.rindex("}")]
        for place, letter in enumerate(inner + ","):
            depth += {"{": 1, "}": -1}.get(letter, 0)
            if letter == "," and depth == 0:
                if inner[begin:place].strip():
                    yield from leaves(inner[begin:place], before)
                begin = place + 1
        return
    path, _, name = tree.partition(" as ")
    parts = (*before, *(part.strip() for part in path.split("::")))
    if parts[-1] == "self":
        parts = parts[:-1]
    yield parts, name.strip() or parts[-1]


class Module:
    """One file."""

    def __init__(self, file, path):
        self.file, self.path = file, path
        text = without_tests(bare(file.read_text()))
        self.children = [name for attributes, name, kind in MODULE.findall(text) if kind == ";"]
        self.items = set(ITEM.findall(text)) | {name for _, name, kind in MODULE.findall(text) if kind == "{"}
        self.uses = [leaf for tree in USE.findall(text) for leaf in leaves(tree)]
        self.paths = [tuple(found.split("::")) for found in PATH.findall(USE.sub("", text))]


class Crate:
    """The modules of a crate by their paths; the root's is empty."""

    def __init__(self, folder):
        self.modules = {}
        source = folder / "src"
        root = next(file for file in (source / "lib.rs", source / "main.rs") if file.exists())
        self._add(root, (), source)

    def _add(self, file, path, folder):
        module = self.modules[path] = Module(file, path)
        for child in module.children:
            below = folder / child
            found = next((at for at in (folder / f"{child}.rs", below / "mod.rs") if at.exists()), None)
            if found:
                self._add(found, (*path, child), below)

    def absolute(self, at, parts):
        """A path relative to the crate's root; None if it leaves the crate."""
        parts = list(parts)
        if parts[0] == "crate":
            return tuple(parts[1:])
        base = list(at)
        if parts[0] == "self":
            return (*base, *parts[1:])
        if parts[0] == "super":
            while parts and parts[0] == "super":
                base, parts = base[:-1], parts[1:]
            return (*base, *parts)
        return (*base, *parts) if (*base, parts[0]) in self.modules else None

    def defined_in(self, path, seen=()):
        """The module whose file contains the item at a path."""
        depth = len(path)
        while path[:depth] not in self.modules:
            depth -= 1
        module = self.modules[path[:depth]]
        if depth == len(path) or path[depth] in module.items or (path[:depth], path[depth]) in seen:
            return module.path
        name, seen = path[depth], (*seen, (path[:depth], path[depth]))
        for parts, known_as in module.uses:
            if known_as != name and parts[-1] != "*":
                continue
            target = self.absolute(module.path, parts[:-1] if parts[-1] == "*" else parts)
            if target is None:
                continue
            if parts[-1] != "*":
                return self.defined_in((*target, *path[depth + 1 :]), seen)
            there = self.modules.get(target)
            if there and (name in there.items or (*target, name) in self.modules):
                return self.defined_in((*target, *path[depth:]), seen)
        return module.path

    def edges(self):
        """The modules that each module uses."""
        for module in self.modules.values():
            for parts in [parts for parts, _ in module.uses] + module.paths:
                parts = parts[:-1] if parts[-1] == "*" else parts
                target = self.absolute(module.path, parts) if parts else None
                # An inline `mod` block belongs to the file that contains it.
                if target is not None and (used := self.defined_in(target)) != module.path:
                    yield module.path, used


def circles(edges):
    """Strongly connected components of more than one node (Tarjan)."""
    graph = {}
    for one, other in edges:
        graph.setdefault(one, set()).add(other)
        graph.setdefault(other, set())
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def main(folders):
    daemon = Path(__file__).resolve().parent.parent
    folders = [Path(folder) for folder in folders] or sorted(file.parent for file in daemon.glob("*/Cargo.toml") if (file.parent / "src").exists())
    sys.setrecursionlimit(10_000)
    bad = 0
    for folder in folders:
        crate = Crate(folder)
        edges = set(crate.edges())
        for circle in circles(edges):
            bad += 1
            print(f"{folder.name}: a circle of {len(circle)} files")
            for path in circle:
                others = sorted("::".join(other) or "the crate's root" for one, other in edges if one == path and other in circle)
                print(f"    {crate.modules[path].file.relative_to(folder)} uses {', '.join(others)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
