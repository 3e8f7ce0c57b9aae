"""Jobspecs: made of commands, changed, and refused."""

import datetime
import json
import os
import pathlib
import tempfile
import unittest

from flux.job import Jobspec, JobspecV1, validate_jobspec


def resources(**counts):
    return JobspecV1.from_command(["true"], **counts).resources


class FromCommand(unittest.TestCase):
    def test_a_command_asks_for_one_core(self):
        jobspec = JobspecV1.from_command(["echo", "hi"])
        self.assertEqual(
            jobspec.resources,
            [
                {
                    "type": "slot",
                    "count": 1,
                    "with": [{"type": "core", "count": 1}],
                    "label": "task",
                }
            ],
        )
        task = {"command": ["echo", "hi"], "slot": "task", "count": {"per_slot": 1}}
        self.assertEqual(jobspec.tasks, [task])
        self.assertEqual(jobspec.version, 1)
        self.assertEqual(jobspec.duration, 0)
        self.assertEqual(jobspec.cwd, os.getcwd())
        self.assertEqual(jobspec.environment, dict(os.environ))

    def test_tasks_cores_gpus_and_nodes_are_counted(self):
        jobspec = JobspecV1.from_command(
            ["true"], num_tasks=6, cores_per_task=2, gpus_per_task=1, num_nodes=3, exclusive=True
        )
        (node,) = jobspec.resources
        self.assertEqual((node["type"], node["count"], node["exclusive"]), ("node", 3, True))
        self.assertEqual(jobspec.resource_counts(), {"node": 3, "slot": 6, "core": 12, "gpu": 6})
        self.assertEqual(len(list(jobspec)), 4)

    def test_tasks_that_do_not_divide_are_counted_in_all(self):
        jobspec = JobspecV1.from_command(["true"], num_tasks=5, num_nodes=2)
        self.assertEqual(jobspec.tasks[0]["count"], {"total": 5})
        self.assertEqual(jobspec.resource_counts()["slot"], 6)

    def test_no_gpus_are_none(self):
        self.assertEqual(resources(gpus_per_task=0), resources())

    def test_what_makes_no_sense_is_refused(self):
        for counts, why in [
            ({"num_tasks": 0}, "num_tasks must be > 0"),
            ({"cores_per_task": -1}, "cores_per_task must be > 0"),
            ({"gpus_per_task": -1}, "gpus_per_task must be >= 0"),
            ({"num_nodes": 2}, "node count must not be greater than task count"),
            ({"exclusive": True}, "exclusive can only be set with a node count"),
            ({"duration": -1}, "duration must not be negative"),
        ]:
            with self.subTest(counts), self.assertRaisesRegex(ValueError, why):
                resources(**counts)
        for counts in [{"num_tasks": "4"}, {"num_tasks": 1.5}, {"duration": []}]:
            with self.subTest(counts), self.assertRaises(TypeError):
                resources(**counts)
        with self.assertRaisesRegex(TypeError, "a list of words"):
            JobspecV1.from_command("echo hi")
        with self.assertRaisesRegex(ValueError, "command array cannot have length of zero"):
            JobspecV1.from_command([])
        with self.assertRaises(TypeError):
            JobspecV1.from_command(["true"], unknown=1)

    def test_settings_are_where_the_job_shell_looks(self):
        jobspec = JobspecV1.from_command(
            ["true"],
            duration="1.5h",
            environment={"A": "b"},
            env_expand={"X": "{{id}}"},
            cwd="/tmp",
            rlimits={"core": -1},
            name="mine",
            input="in",
            output="out-{{id}}",
            error="err",
            label_io=True,
            unbuffered=True,
            queue="batch",
            bank="b",
        )
        system = jobspec.attributes["system"]
        options = system["shell"]["options"]
        self.assertEqual(system["duration"], 5400)
        self.assertEqual(system["environment"], {"A": "b"})
        self.assertEqual((system["cwd"], system["queue"], system["bank"]), ("/tmp", "batch", "b"))
        self.assertEqual(system["job"], {"name": "mine"})
        self.assertEqual(options["env-expand"], {"X": "{{id}}"})
        self.assertEqual(options["rlimit"], {"core": -1})
        self.assertEqual(options["input"]["stdin"], {"type": "file", "path": "in"})
        self.assertEqual(
            options["output"]["stdout"],
            {"type": "file", "path": "out-{{id}}", "label": True, "buffer": {"type": "none"}},
        )
        self.assertTrue(jobspec.unbuffered and jobspec.label_io)
        self.assertEqual((jobspec.stdin, jobspec.stdout, jobspec.error), ("in", "out-{{id}}", "err"))


class Instances(unittest.TestCase):
    def test_a_nested_command_is_run_by_a_broker(self):
        jobspec = JobspecV1.from_nest_command(
            ["script", "-x"], num_slots=2, broker_opts=["-v"], conf={"resource": {"noverify": True}}
        )
        command = ["flux", "broker", "-v", "-c{{tmpdir}}/conf.json", "script", "-x"]
        self.assertEqual(jobspec.tasks[0]["command"], command)
        conf = jobspec.getattr("system.files")["conf.json"]
        self.assertEqual(conf, {"mode": 33152, "data": {"resource": {"noverify": True}}})
        self.assertEqual(jobspec.getattr_shell_option("per-resource"), {"type": "node"})
        self.assertEqual(jobspec.getattr_shell_option("mpi"), "none")
        self.assertEqual(jobspec.getattr_shell_option("exit-timeout"), "none")

    def test_a_script_goes_with_the_job(self):
        text = "#!/bin/sh\nflux run true\n"
        jobspec = JobspecV1.from_batch_command(text, "mine", args=["a"], num_slots=3)
        self.assertEqual(jobspec.tasks[0]["command"], ["flux", "broker", "{{tmpdir}}/script", "a"])
        script = jobspec.getattr("system.files")["script"]
        self.assertEqual(script, {"mode": 33216, "data": text, "encoding": "utf-8"})
        self.assertEqual(jobspec.getattr("job.name"), "mine")
        self.assertEqual(jobspec.stdout, "flux-{{id}}.out")
        kept = JobspecV1.from_batch_command(text, "mine", output="kvs")
        self.assertIsNone(kept.stdout)
        with self.assertRaisesRegex(ValueError, "does not appear to start with '#!'"):
            JobspecV1.from_batch_command("flux run true", "mine")

    def test_tasks_can_be_counted_by_resource(self):
        jobspec = JobspecV1.per_resource(
            ["true"], nnodes=2, per_resource_type="node", per_resource_count=4
        )
        self.assertEqual(jobspec.getattr_shell_option("per-resource"), {"type": "node", "count": 4})
        self.assertEqual(jobspec.resources[0]["exclusive"], True)
        cores = JobspecV1.per_resource(["true"], ncores=4, nnodes=2, gpus_per_node=1)
        self.assertEqual(cores.resource_counts(), {"node": 2, "slot": 2, "core": 4, "gpu": 2})
        for counts, why in [
            ({}, "must specify node or core count"),
            ({"ncores": 1, "nnodes": 2}, "cannot be less than nnodes"),
            ({"ncores": 1, "gpus_per_node": 1}, "must be specified with nnodes"),
            ({"ncores": 1, "per_resource_count": 2}, "must specify a per_resource_type"),
            ({"ncores": 1, "per_resource_type": "rack"}, "use node or core"),
        ]:
            with self.subTest(counts), self.assertRaisesRegex(ValueError, why):
                JobspecV1.per_resource(["true"], **counts)


class Commands(unittest.TestCase):
    def test_options_are_those_of_the_commands(self):
        jobspec = JobspecV1.from_submit(
            ["true"],
            ntasks=2,
            time_limit="5m",
            env=["-*", "A=b"],
            setopt={"mpi": "none", "verbose": 2},
            exclusive=False,
            unbuffered=True,
            queue=None,
        )
        self.assertEqual((jobspec.duration, jobspec.environment), (300, {"A": "b"}))
        self.assertEqual(jobspec.resource_counts()["slot"], 2)
        self.assertEqual(jobspec.getattr_shell_option("mpi"), "none")
        self.assertEqual(jobspec.getattr_shell_option("verbose"), 2)
        self.assertTrue(jobspec.unbuffered)
        with self.assertRaisesRegex(ValueError, "node count must not be greater than task count"):
            JobspecV1.from_submit(["true"], nodes=2, ntasks=1)

    def test_instances_are_made_with_them_too(self):
        alloc = JobspecV1.from_alloc(["script"], nslots=3)
        self.assertEqual(alloc.tasks[0]["command"], ["flux", "broker", "script"])
        batch = JobspecV1.from_batch("#!/bin/sh\n# flux: -n2 --job-name=mine\ntrue\n", ["a"])
        command = ["flux", "broker", "{{tmpdir}}/script", "a"]
        self.assertEqual((batch.tasks[0]["command"], batch.getattr("job.name")), (command, "mine"))
        self.assertEqual(batch.resource_counts()["slot"], 2)


class Settings(unittest.TestCase):
    def setUp(self):
        self.jobspec = JobspecV1.from_command(["true"])

    def test_durations_have_many_forms(self):
        for duration, seconds in [
            (5, 5),
            (1.5, 1.5),
            ("2m", 120),
            ("inf", 0),
            (datetime.timedelta(hours=1), 3600),
        ]:
            self.jobspec.duration = duration
            self.assertEqual(self.jobspec.duration, seconds)
        with self.assertRaises(ValueError):
            self.jobspec.duration = "soon"

    def test_attributes_have_dotted_names(self):
        self.jobspec.setattr("system.job.name", "a")
        self.jobspec.setattr("user.note", {"x": 1})
        self.jobspec.setattr("queue", "q")
        self.jobspec.setattr(".other", 2)
        self.assertEqual(self.jobspec.getattr("attributes.system.job.name"), "a")
        self.assertEqual(self.jobspec.getattr("user.note.x"), 1)
        self.assertEqual(self.jobspec.queue, "q")
        self.assertEqual(self.jobspec.attributes["other"], 2)
        with self.assertRaises(KeyError):
            self.jobspec.getattr("system.nothing.at.all")

    def test_streams_are_paths(self):
        self.jobspec.stdout = pathlib.Path("/tmp/out")
        self.assertEqual(self.jobspec.output, "/tmp/out")
        with self.assertRaises(TypeError):
            self.jobspec.stderr = 3
        self.jobspec.unbuffered = True
        self.jobspec.unbuffered = False
        self.assertFalse(self.jobspec.unbuffered)
        with self.assertRaises(ValueError):
            self.jobspec.environment = "PATH=x"

    def test_files_are_texts_objects_or_local(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "binary")
            with open(path, "wb") as file:
                file.write(b"\xff\x00")
            os.chmod(path, 0o750)
            self.jobspec.add_file("local", path)
        self.jobspec.add_file("text", "one\ntwo", perms=0o755)
        self.jobspec.add_file("object", {"a": 1})
        files = self.jobspec.getattr("system.files")
        self.assertEqual(
            files["local"], {"mode": 0o100750, "size": 2, "data": "/wA=", "encoding": "base64"}
        )
        self.assertEqual(
            files["text"], {"mode": 0o100755, "data": "one\ntwo", "encoding": "utf-8"}
        )
        self.assertEqual(files["object"], {"mode": 0o100600, "data": {"a": 1}})
        with self.assertRaises(FileNotFoundError):
            self.jobspec.add_file("x", "/nonexistent")
        with self.assertRaisesRegex(ValueError, "unsupported encoding"):
            self.jobspec.add_file("x", "data", encoding="rot13")


class Checks(unittest.TestCase):
    def test_what_would_be_refused_is_refused_here(self):
        text = JobspecV1.from_command(["true"]).dumps()
        self.assertEqual(validate_jobspec(text), (True, None))
        self.assertEqual(validate_jobspec(json.loads(text), 1), (True, None))
        broken = json.loads(text)
        broken["tasks"][0]["slot"] = 3
        valid, why = validate_jobspec(broken)
        self.assertFalse(valid)
        self.assertEqual(str(why), "slot must be a string")
        with self.assertRaisesRegex(ValueError, "slot must be a string"):
            Jobspec(**broken)
        self.assertFalse(validate_jobspec("no json")[0])

    def test_other_versions_are_jobspecs_too(self):
        parts = json.loads(JobspecV1.from_command(["true"]).dumps())
        parts["version"] = 2
        self.assertEqual(Jobspec(**parts).version, 2)
        with self.assertRaisesRegex(ValueError, "version must be 1"):
            JobspecV1(**parts)


if __name__ == "__main__":
    unittest.main()
