"""Tests of the check, on made-up crates."""

import tempfile
import unittest
from pathlib import Path

import check


def circles(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            file = Path(folder) / "src" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return check.circles(check.Crate(Path(folder)).edges())


class Circles(unittest.TestCase):
    def test_two_files_that_use_each_other(self):
        files = {"lib.rs": "mod a;\nmod b;", "a.rs": "use crate::b::B;\npub struct A;", "b.rs": "use super::a::A;\npub struct B;"}
        self.assertEqual(circles(files), [[("a",), ("b",)]])

    def test_one_way_is_no_circle(self):
        files = {"lib.rs": "mod a;\nmod b;", "a.rs": "use crate::b::{B, C as D};", "b.rs": "pub struct B;\npub struct C;"}
        self.assertEqual(circles(files), [])

    def test_a_child_that_uses_the_parent_that_uses_it(self):
        files = {"lib.rs": "mod a;", "a.rs": "mod b;\nuse b::B;\npub struct A;", "a/b.rs": "use super::A;\npub struct B;"}
        self.assertEqual(circles(files), [[("a",), ("a", "b")]])

    def test_a_sibling_through_the_parents_re_export(self):
        files = {
            "lib.rs": "mod a;",
            "a.rs": "mod b;\nmod c;\npub use b::B;\npub use c::C;",
            "a/b.rs": "pub struct B;",
            "a/c.rs": "use super::B;\npub struct C(B);",
        }
        self.assertEqual(circles(files), [])
        self.assertEqual(circles(files | {"a/b.rs": "use super::C;\npub struct B(C);"}), [[("a", "b"), ("a", "c")]])

    def test_a_path_without_use_counts_and_tests_comments_and_strings_do_not(self):
        a = "fn f() { crate::b::g(); }\n"
        files = {"lib.rs": "mod a;\nmod b;", "a.rs": a, "b.rs": "pub fn g() {}\n#[cfg(test)]\nmod tests { use crate::a::f; }\n// crate::a::f\nconst X: &str = \"crate::a::f\";"}
        self.assertEqual(circles(files), [])
        self.assertEqual(circles(files | {"b.rs": "pub fn g() { super::a::f() }"}), [[("a",), ("b",)]])

    def test_three_in_a_row(self):
        files = {"lib.rs": "mod a;\nmod b;\nmod c;"} | {f"{one}.rs": f"use crate::{other}::X;\npub struct X;" for one, other in ("ab", "bc", "ca")}
        self.assertEqual(circles(files), [[("a",), ("b",), ("c",)]])


if __name__ == "__main__":
    unittest.main()
