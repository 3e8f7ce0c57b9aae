"""The package: what it has, and that it costs little to import."""

import ast
import pathlib
import subprocess
import sys
import unittest

import flux

ROOT = pathlib.Path(flux.__file__).parent


class Package(unittest.TestCase):
    def test_importing_it_loads_little(self):
        # Without -S there may be modules of the site that are none of ours.
        program = "import sys; sys.path.insert(0, sys.argv[1]); import flux; flux.Flux; print(*sys.modules)"
        said = subprocess.run(
            [sys.executable, "-S", "-c", program, str(ROOT.parent)], check=True, capture_output=True, text=True
        )
        loaded = said.stdout.split()
        heavy = ["asyncio", "datetime", "dataclasses", "inspect", "logging", "selectors", "threading"]
        self.assertEqual([name for name in heavy if name in loaded], [])
        self.assertNotIn("flux.kvs", loaded)

    def test_importing_the_job_layer_loads_little(self):
        program = "import sys; sys.path.insert(0, sys.argv[1]); import flux.job; print(*sys.modules)"
        said = subprocess.run(
            [sys.executable, "-S", "-c", program, str(ROOT.parent)], check=True, capture_output=True, text=True
        )
        loaded = said.stdout.split()
        heavy = ["asyncio", "concurrent", "datetime", "inspect", "logging", "threading", "subprocess", "base64"]
        self.assertEqual([name for name in heavy if name in loaded], [])
        self.assertNotIn("flux.job.executor", loaded)

    def test_modules_that_need_an_interpreter_in_services_are_not_there(self):
        for name in ("brokermod", "cli", "modprobe", "scheduler", "core.inner", "wrapper"):
            with self.assertRaises(ModuleNotFoundError):
                __import__(f"flux.{name}")

    def test_functions_win_over_modules_of_their_name(self):
        program = (
            "import flux.job.submit, flux.job.kill, flux.job.wait, flux.job.JobID, flux.job.Jobspec;"
            "from flux.job.submit import submit_async; from flux.job.Jobspec import JobspecV1;"
            "import flux.resource.drain;"
            "print(*(callable(getattr(flux.job, name)) for name in ('submit', 'kill', 'wait', 'JobID')),"
            "callable(flux.job.Jobspec), flux.job.list.JobList is flux.job.JobList,"
            "callable(flux.resource.drain))"
        )
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual((said.stdout, said.stderr), ("True " * 6 + "True\n", ""))

    def test_modules_are_loaded_when_they_are_used(self):
        program = "import flux; flux.kvs.get; flux.constants.FLUX_NODEID_ANY; print(flux.Flux.__name__)"
        said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        self.assertEqual(said.stdout, "Flux\n")
        self.assertIn("kvs", dir(flux))
        with self.assertRaises(AttributeError):
            flux.nothing

    def test_everything_public_says_what_it_is(self):
        silent = []
        for path in sorted(ROOT.rglob("*.py")):
            tree = ast.parse(path.read_text())
            for node in [tree, *(node for node in ast.walk(tree) if hasattr(node, "name"))]:
                name = getattr(node, "name", "module")
                kinds = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
                public = isinstance(node, kinds) and not name.startswith("_")
                if public and ast.get_docstring(node) is None and not is_override(node):
                    silent.append(f"{path.relative_to(ROOT)}: {name}")
        self.assertEqual(silent, [])

    def test_the_stub_has_what_the_native_half_has(self):
        tree = ast.parse((ROOT / "_core.pyi").read_text())
        from flux import _core

        for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            stated = {node.name for node in cls.body if isinstance(node, ast.FunctionDef)}
            found = {name for name in dir(getattr(_core, cls.name)) if not name.startswith("__")}
            self.assertEqual(stated - {"__new__", "__init__"}, found, cls.name)
        stated = {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
        self.assertEqual(stated, {name for name in dir(_core) if not name.startswith("__")})


def is_override(node):
    """A method that does what the one it replaces says, a helper within a function, or what sets
    a property."""
    sets = any(getattr(decorator, "attr", "") == "setter" for decorator in getattr(node, "decorator_list", ()))
    return sets or node.name in ("reset", "wake", "decode")


if __name__ == "__main__":
    unittest.main()
