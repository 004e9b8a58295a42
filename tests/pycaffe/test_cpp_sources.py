"""The C++ and CUDA files of ours speak one dialect: a stranger who has read one of them can read them all."""

import re

import pytest

FOLDERS = ("compat", "cuda", "deploy", "kernels", "layers", "onednn", "program")

# names of the standard library and the header that has them; a file includes what it uses, in its .hpp or itself
HEADERS = {
    "algorithm": r"std::(?:min|max|copy|copy_n|fill_n)\b",
    "cmath": r"std::(?:abs|sqrt|pow)\b",
    "condition_variable": r"std::condition_variable\b",
    "cstddef": r"std::size_t\b",
    "cstdio": r"std::fprintf\b",
    "cstdlib": r"std::(?:getenv|atol|free|aligned_alloc|_Exit)\b",
    "cstring": r"std::(?:strcmp|strncmp|strstr|memcmp|memset)\b",
    "exception": r"std::(?:exception_ptr|current_exception|rethrow_exception)\b",
    "filesystem": r"std::filesystem\b",
    "fstream": r"std::ifstream\b",
    "functional": r"std::(?:function|ref)\b",
    "map": r"std::map\b",
    "memory": r"std::(?:unique|shared|weak)_ptr\b",
    "mutex": r"std::(?:mutex|unique_lock)\b",
    "new": r"std::bad_alloc\b",
    "stdexcept": r"std::runtime_error\b",
    "string": r"std::(?:string|to_string)\b",
    "system_error": r"std::error_code\b",
    "thread": r"std::thread\b",
    "typeinfo": r"std::type_info\b|\btypeid\b",
    "unordered_map": r"std::unordered_map\b",
    "utility": r"std::(?:move|exchange|make_pair|pair|index_sequence|make_index_sequence)\b",
    "vector": r"std::vector\b",
}

# how it was said before C++11, and how it is said here
OLD = {
    r"\bNULL\b": "nullptr",
    r"\btypedef\b": "using",
    r"\w > >": ">>",
    r"#ifndef \w+_HPP?_": "#pragma once",
    r"(?<!:)\bsize_t\b": "std::size_t",
}


@pytest.fixture
def sources(root):
    """Path below pycaffe/ to the text without comments, of every file in these folders."""
    folder = root / "pycaffe"
    files = [path for name in FOLDERS for path in sorted((folder / name).rglob("*")) if path.is_file()]
    assert len(files) > 30
    return {path.relative_to(folder): re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8")) for path in files}


def test_endings_and_guards(sources):
    for path, code in sources.items():
        assert path.suffix in (".hpp", ".cpp", ".cu"), path
        assert code.count("#pragma once") == (path.suffix == ".hpp"), path


def test_each_folder_has_its_namespace(sources):
    for path, code in sources.items():
        inside = set(re.findall(r"^namespace ([\w:]+) \{$", code, re.MULTILINE))
        # compat/ and upstream_names.hpp are macros, module.cpp and python_types.cpp are what Python calls
        assert inside <= {f"idn::{path.parts[0]}"}, path
        if path.suffix == ".hpp" and "#define" not in code:
            assert inside, path


def test_the_old_words_are_not_used(sources):
    found = [f"{path}: {m[0]}, write {new}" for path, code in sources.items() for old, new in OLD.items()
             for m in re.finditer(old, code)]  # fmt: skip
    assert found == []


def test_each_file_includes_what_it_uses(sources):
    missing = []
    for path, code in sources.items():
        included = set(re.findall(r"#include <([\w.]+)>", code))
        used = [name for name, use in HEADERS.items() if re.search(use, code)]
        missing += [f"{path}: <{name}>" for name in used if name not in included]
    assert missing == []


def test_each_file_begins_with_what_it_is_for(root, sources):
    """A header, and a file without a header of its own."""
    for path in sources:
        text = (root / "pycaffe" / path).read_text(encoding="utf-8")
        if path.suffix == ".hpp" or path.with_suffix(".hpp") not in sources:
            assert text.startswith("// "), path
        else:
            assert text.startswith(f'#include "{path.with_suffix(".hpp").name}"\n'), path
