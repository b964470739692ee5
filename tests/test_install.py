"""What is installed can be used: a small client in C by pkg-config and by find_package, from a tree that was moved."""
import os
import shutil
import subprocess

import pytest

BUILD = os.environ.get("MIGHTNT_BUILD", "build")
CMAKE = os.environ.get("MIGHTNT_CMAKE", "cmake")

CLIENT = r"""
#include <math.h>
#include <stdio.h>
#include <mightnt.h>
int main(void)
{
    const double lp[] = {log(.5), -INFINITY, log(.5)};
    mn_rng rng = mn_rng_split(1, 0, 0);
    size_t symbol = mn_sample(lp, 3, mn_rng_uniform(&rng));
    mn_model *model;
    mn_err err;
    mn_status status = mn_lm_open(&model, &(mn_lm_opts){.path = "no such file"}, &err); /* so llama.cpp has to be in it */
    printf("%s\n", MN_VERSION);
    return symbol == 1 || status != MN_ERR_IO;
}
"""

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(client C)
find_package(mightnt 0.1 REQUIRED)
add_executable(client client.c)
target_link_libraries(client PRIVATE mightnt::mightnt m)
"""


def run(*command, **more):
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, **more)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    place = tmp_path_factory.mktemp("install")
    run(CMAKE, "--install", BUILD, "--prefix", str(place / "first"))
    shutil.move(place / "first", place / "moved")
    return place / "moved"


@pytest.fixture
def client(tmp_path):
    (tmp_path / "client.c").write_text(CLIENT)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    return tmp_path


def compiler_options():
    """A library built under a sanitizer wants its client built so, too."""
    with open(os.path.join(BUILD, "CMakeCache.txt")) as cache:
        values = dict(line.strip().split("=", 1) for line in cache if "=" in line and line[0].isalpha())
    sanitize = values["MN_SANITIZE:STRING"]
    return values["CMAKE_C_COMPILER:FILEPATH"], [f"-fsanitize={sanitize}"] if sanitize else []


def pkg_config(tree, *arguments):
    (folder,) = tree.glob("lib*/**/pkgconfig")
    return run("pkg-config", *arguments, "mightnt", env={**os.environ, "PKG_CONFIG_PATH": str(folder)}).split()


def test_client_by_pkg_config(tree, client):
    compiler, options = compiler_options()
    flags = pkg_config(tree, "--cflags", "--libs")
    (library,) = tree.glob("lib*/**/libmightnt.so")
    run(compiler, *options, "client.c", "-o", "client", *flags, "-lm", cwd=client)
    output = run(str(client / "client"), env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)})
    assert output.split()[0] == pkg_config(tree, "--modversion")[0]


def test_client_of_the_static_library(tree, client):
    compiler, options = compiler_options()
    flags = [flag.replace("-lmightnt", "-l:libmightnt.a") for flag in pkg_config(tree, "--static", "--cflags", "--libs")]
    run(compiler, *options, "client.c", "-o", "client", *flags, "-lm", cwd=client)
    assert "mightnt" not in run("ldd", str(client / "client"))
    run(str(client / "client"))


def test_client_by_find_package(tree, client):
    compiler, options = compiler_options()
    run(CMAKE, "-G", "Ninja", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={tree}",
        f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_C_FLAGS={' '.join(options)}", cwd=client)
    run(CMAKE, "--build", "build", cwd=client)
    run(str(client / "build" / "client"))


def test_only_public_functions_are_exported(tree):
    (library,) = tree.glob("lib*/**/libmightnt.so")
    lines = run("nm", "-D", "--defined-only", str(library)).splitlines()
    names = {line.split()[-1] for line in lines}
    with open(tree / "include" / "mightnt.h") as header:
        text = header.read()
    strange = {name for name in names if not name.startswith("mn_") or name + "(" not in text}
    assert "mn_rng_split" in names and not strange


def test_program_manual_and_documents(tree):
    assert run(str(tree / "bin" / "mightnt"), "--version").startswith("mightnt ")
    manual = (tree / "share/man/man1/mightnt.1").read_text()
    assert manual.startswith(".TH MIGHTNT 1") and ".SH NAME\nmightnt \\- " in manual
    assert {path.name for path in (tree / "share/doc/mightnt").iterdir()} >= {"README.md", "LICENSE", "CHANGELOG.md"}
