"""Jobs of a live instance: submitted, followed, listed, changed and canceled."""

import asyncio
import errno
import io
import json
import math
import unittest

import flux
import flux.constants
import flux.job
from flux.job import JobID, JobspecV1


def command(*words, **settings):
    return JobspecV1.from_command(list(words), **settings)


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.handle = flux.Flux()
        cls.addClassCleanup(cls.handle.close)

    def submit(self, *words, **settings):
        return flux.job.submit(self.handle, command(*words, **settings))

    def running(self):
        jobid = self.submit("sleep", "inf")
        self.addCleanup(self.end, jobid)
        flux.job.event_wait(self.handle, jobid, "start")
        return jobid

    def end(self, jobid):
        try:
            flux.job.cancel(self.handle, jobid)
        except OSError:
            pass


class Submitting(Live):
    def test_a_job_has_a_number_and_a_result(self):
        jobid = self.submit("true")
        self.assertIsInstance(jobid, JobID)
        result = flux.job.result(self.handle, jobid)
        self.assertEqual((result.id, result.result, result.returncode), (jobid, "COMPLETED", 0))
        self.assertGreaterEqual(result.runtime, 0.0)

    def test_it_can_be_text_or_an_object(self):
        jobspec = command("false")
        for form in [jobspec.dumps(), jobspec.jobspec, jobspec.dumps().encode()]:
            jobid = flux.job.submit(self.handle, form)
            self.assertEqual(flux.job.result(self.handle, jobid).returncode, 1)
        with self.assertRaises(TypeError):
            flux.job.submit(self.handle, 5)

    def test_a_refusal_is_an_oserror(self):
        with self.assertRaisesRegex(OSError, "urgency range is"):
            flux.job.submit(self.handle, command("true"), urgency=32)
        with self.assertRaisesRegex(OSError, "Missing key"):
            flux.job.submit(self.handle, "{}")

    def test_many_are_on_their_way_at_a_time(self):
        text = command("true").dumps()
        futures = [flux.job.submit_async(self.handle, text, urgency=0) for _ in range(100)]
        jobids = {future.get_id() for future in futures}
        self.assertEqual(len(jobids), 100)
        for jobid in jobids:
            flux.job.cancel(self.handle, jobid)

    def test_callbacks_are_called(self):
        codes = []

        def submitted(future, handle):
            flux.job.result_async(handle, future.get_id()).then(over)

        def over(future):
            codes.append(future.get_info().returncode)

        for word in ("true", "false"):
            future = flux.job.submit_async(self.handle, command(word))
            future.then(submitted, self.handle)
        self.handle.reactor_run()
        self.assertEqual(sorted(codes), [0, 1])


class Waiting(Live):
    def test_each_waitable_job_is_waited_for_once(self):
        good = flux.job.submit(self.handle, command("true"), waitable=True)
        bad = flux.job.submit(self.handle, command("false"), waitable=True)
        ended = {flux.job.wait(self.handle).jobid for _ in range(1)}
        (first,) = ended
        second = flux.job.wait(self.handle, bad if first == good else good)
        self.assertEqual({first, second.jobid}, {good, bad})
        with self.assertRaises(ChildProcessError):
            flux.job.wait(self.handle)

    def test_a_failure_has_a_reason(self):
        jobid = flux.job.submit(self.handle, command("sh", "-c", "exit 3"), waitable=True)
        status = flux.job.wait_async(self.handle, jobid).get_status()
        self.assertEqual(
            status, flux.job.JobWaitResult(jobid, False, "task(s) exited with exit code 3")
        )

    def test_results_say_how_a_job_ended(self):
        killed = self.running()
        flux.job.kill(self.handle, killed, 9)
        result = flux.job.result(self.handle, killed)
        self.assertEqual((result.result, result.returncode), ("FAILED", 137))
        canceled = self.running()
        flux.job.cancel(self.handle, canceled, "enough")
        result = flux.job.result(self.handle, canceled)
        self.assertEqual(result.result, "CANCELED")
        self.assertEqual((result.exception.type, result.exception.note), ("cancel", "enough"))
        self.assertEqual(result.inactive_reason, "Canceled: enough")
        with self.assertRaises(FileNotFoundError):
            flux.job.result(self.handle, 1)


class Events(Live):
    def test_they_come_in_order_to_the_end(self):
        jobid = self.submit("true")
        names = [event.name for event in flux.job.event_watch(self.handle, jobid)]
        self.assertEqual((names[0], names[-1]), ("submit", "clean"))
        self.assertEqual(set(names) - flux.job.MAIN_EVENTS, set())

    def test_a_loop_that_is_left_ends_the_stream(self):
        jobid = self.running()
        stats = self.handle.rpc("job-info.stats-get").get()["watchers"]
        for event in flux.job.event_watch(self.handle, jobid):
            if event.name == "start":
                break
        else:
            self.fail("there was no start")
        self.assertEqual(self.handle.rpc("job-info.stats-get").get()["watchers"], stats)

    def test_other_logs_have_short_names(self):
        jobid = self.submit("echo", "hi")
        names = [event.name for event in flux.job.event_watch(self.handle, jobid, "exec", True)]
        self.assertIn("shell.start", names)

    def test_one_is_waited_for(self):
        jobid = self.submit("sh", "-c", "exit 2")
        event = flux.job.event_wait(self.handle, jobid, "finish")
        self.assertEqual(event.context, {"status": 512})
        self.assertEqual(event.context_string, '{"status":512}')
        with self.assertRaises(OSError) as caught:
            flux.job.event_wait(self.handle, jobid, "never")
        self.assertEqual(caught.exception.errno, errno.ENODATA)

    def test_an_exception_comes_between(self):
        jobid = flux.job.submit(self.handle, command("true"), urgency=0)
        flux.job.cancel(self.handle, jobid, "no")
        with self.assertRaises(flux.job.JobException) as caught:
            flux.job.event_wait(self.handle, jobid, "start")
        exception = caught.exception
        self.assertEqual((exception.type, exception.severity, exception.note), ("cancel", 0, "no"))
        event = flux.job.event_wait(self.handle, jobid, "clean", raiseJobException=False)
        self.assertEqual(event.name, "clean")

    def test_callbacks_get_one_after_the_other(self):
        names = []

        def happened(future):
            event = future.get_event()
            names.append(event and event.name)

        flux.job.event_watch_async(self.handle, self.submit("true")).then(happened)
        self.handle.reactor_run()
        self.assertEqual((names[0], names[-2:]), ("submit", ["clean", None]))

    def test_coroutines_await_and_iterate(self):
        async def run():
            jobid = await flux.job.submit_async(self.handle, command("true"))
            names = []
            async for event in flux.job.event_watch(self.handle, jobid):
                names.append(event.name)
            return jobid, names, await flux.job.result_async(self.handle, jobid)

        jobid, names, result = asyncio.run(run())
        self.assertEqual((names[0], names[-1]), ("submit", "clean"))
        self.assertEqual((result.id, result.returncode), (jobid, 0))

    def test_the_journal_has_those_of_all_jobs(self):
        jobid = self.submit("true")
        flux.job.event_wait(self.handle, jobid, "clean")
        consumer = flux.job.JournalConsumer(self.handle, include_sentinel=True).start()
        events = []
        event = consumer.poll(60.0)
        while not event.is_empty():
            events.append(event)
            event = consumer.poll(60.0)
        mine = [event for event in events if event.jobid == jobid]
        self.assertEqual((mine[0].name, mine[-1].name), ("submit", "clean"))
        self.assertEqual(mine[0].jobspec["tasks"][0]["command"], ["true"])
        self.assertEqual(sorted(events, key=lambda event: event.timestamp), events)
        later = self.submit("true")
        while event.jobid != later:
            event = consumer.poll(60.0)
        self.assertEqual(event.name, "submit")
        consumer.stop()
        while consumer.poll(60.0) is not None:
            pass


class Lists(Live):
    def test_a_job_is_found_by_its_number(self):
        jobid = self.submit("true", name="found")
        flux.job.result(self.handle, jobid)
        job = flux.job.get_job(self.handle, jobid)
        self.assertEqual((job["id"], job["state"], job["result"]), (jobid, "INACTIVE", "COMPLETED"))
        self.assertEqual((job["name"], job["returncode"]), ("found", 0))
        json.dumps(job)
        self.assertIsNone(flux.job.get_job(self.handle, 1))

    def test_lists_are_filtered(self):
        held = flux.job.submit(self.handle, command("true", name="listed"), urgency=0)
        self.addCleanup(self.end, held)
        failed = self.submit("false", name="listed")
        flux.job.result(self.handle, failed)

        def ids(**question):
            jobs = flux.job.JobList(self.handle, name="listed", **question).jobs()
            return {job.id for job in jobs}

        self.assertEqual(ids(), {held, failed})
        self.assertEqual(ids(filters=["pending"]), {held})
        self.assertEqual(ids(filters=["failed"]), {failed})
        self.assertEqual(ids(filters=["pending", "failed"]), {held, failed})
        self.assertEqual(ids(max_entries=1, filters=["inactive"]), {failed})
        self.assertEqual(ids(user="nobody"), set())
        with self.assertRaisesRegex(ValueError, "Invalid filter specified: lost"):
            ids(filters=["lost"])
        rpc = flux.job.job_list(
            self.handle, attrs=[], states=flux.constants.FLUX_JOB_STATE_PENDING, name="listed"
        )
        self.assertEqual(rpc.get()["jobs"], [{"id": held}])
        with self.assertRaisesRegex(OSError, "nope is not a valid attribute"):
            flux.job.job_list(self.handle, attrs=["nope"]).get()

    def test_jobs_are_asked_for_by_number(self):
        jobid = self.submit("true")
        flux.job.result(self.handle, jobid)
        question = flux.job.JobList(self.handle, ids=[jobid, "ƒ2"])
        self.assertEqual([job.id for job in question.jobs()], [jobid])
        self.assertEqual(question.errors, ["JobID ƒ2 unknown"])

    def test_what_is_not_set_is_empty(self):
        jobid = flux.job.submit(self.handle, command("true"), urgency=0)
        self.addCleanup(self.end, jobid)
        (job,) = flux.job.JobList(self.handle, ids=[jobid]).jobs()
        self.assertEqual((job.state, job.status_abbrev, job.result), ("SCHED", "S", ""))
        self.assertEqual((job.nodelist, job.t_run, job.returncode, job.runtime), ("", 0.0, "", 0.0))
        self.assertEqual((job.contextual_info, str(job.dependencies)), ("held", ""))
        self.assertEqual(str(job.annotations.sched.t_estimate), "")
        with self.assertRaises(AttributeError):
            job.nothing

    def test_formats_make_listings(self):
        jobid = self.submit("true", name="formatted")
        flux.job.result(self.handle, jobid)
        jobs = flux.job.JobList(self.handle, name="formatted").jobs()
        text = "{id.f58:>12} ?:{queue:<8.8} {name:<6.6+} {status_abbrev:>2} {nnodes:>6h} {runtime!H}"
        lines = flux.job.JobInfoFormat(text).lines(jobs)
        self.assertEqual(lines[0], "       JOBID NAME   ST NNODES RUNTIME")
        self.assertEqual(lines[1], f"{jobid.f58:>12} forma+ CD      1 0:00:00")
        with self.assertRaisesRegex(ValueError, "Unknown format field: nope"):
            flux.job.JobInfoFormat("{nope}")
        with self.assertRaisesRegex(ValueError, "Unknown conversion specifier x"):
            flux.job.JobInfoFormat("{id!x}")

    def test_numbers_of_jobs_are_counted(self):
        before = flux.job.JobStats(self.handle).update_sync()
        flux.job.result(self.handle, self.submit("true"))
        after = flux.job.JobStats(self.handle).update_sync()
        self.assertEqual(after.total, before.total + 1)
        self.assertEqual(after.successful, before.successful + 1)
        heard = []
        flux.job.JobStats(self.handle).update(lambda stats, word: heard.append((stats.total, word)), word="x")
        self.handle.reactor_run()
        self.assertEqual(heard, [(after.total, "x")])
        with self.assertRaisesRegex(ValueError, "no stats available for queue q"):
            flux.job.JobStats(self.handle, ["q"]).update_sync()


class Data(Live):
    def test_what_is_stored_is_read(self):
        jobid = self.submit("true", environment={"A": "b"})
        flux.job.event_wait(self.handle, jobid, "clean")
        data = flux.job.job_kvs_lookup(self.handle, jobid, ["jobspec", "R", "eventlog"])
        self.assertEqual(data["jobspec"]["tasks"][0]["command"], ["true"])
        self.assertEqual(data["R"]["version"], 1)
        self.assertIn('"name":"submit"', data["eventlog"])
        original = flux.job.job_kvs_lookup(self.handle, jobid, original=True)
        self.assertEqual(original["jobspec"]["attributes"]["system"]["environment"], {"A": "b"})
        text = flux.job.job_kvs_lookup(self.handle, jobid, decode=False)
        self.assertIsInstance(text["jobspec"], str)
        self.assertIsNone(flux.job.job_kvs_lookup(self.handle, jobid, ["nothing"]))
        lookup = flux.job.JobKVSLookup(self.handle, ids=[jobid, "ƒ2"])
        self.assertEqual([data["id"] for data in lookup.data()], [jobid])
        self.assertEqual(lookup.errors, ["JobID ƒ2 unknown"])

    def test_folders_of_jobs_are_read(self):
        jobid = self.submit("true")
        flux.job.event_wait(self.handle, jobid, "clean")
        folder = flux.job.job_kvs(self.handle, jobid)
        self.assertEqual(folder["jobspec"]["tasks"][0]["command"], ["true"])
        self.assertIn("output", list(flux.job.job_kvs_guest(self.handle, jobid)))

    def test_output_is_read(self):
        jobid = self.submit("sh", "-c", "echo out; echo err >&2", num_tasks=1)
        output = flux.job.job_output(self.handle, jobid)
        self.assertEqual((output.stdout, output.stderr), ("out\n", "err\n"))
        labelled = flux.job.job_output(self.handle, jobid, labelio=True)
        self.assertEqual(labelled.stdout, "0: out\n")
        lines = sorted(flux.job.output_watch_lines(self.handle, jobid))
        self.assertEqual(lines, [("stderr", "err"), ("stdout", "out")])
        names = {event.name for event in flux.job.output_event_watch(self.handle, jobid)}
        self.assertEqual(names, {"header", "data"})

    def test_output_is_followed_by_lines(self):
        jobid = self.submit("printf", "a\\n\\nb\\n")
        lines = []

        def more(future):
            stream, line = future.getline()
            if stream == "stdout":
                lines.append(line)

        flux.job.output_watch_lines_async(self.handle, jobid, keepends=True).then(more)
        self.handle.reactor_run()
        self.assertEqual([line for line in lines if line], ["a\n", "\n", "b\n"])

    def test_coroutines_read_chunks_and_lines(self):
        async def read(watch, jobid):
            return [item async for item in watch(self.handle, jobid) if item[1]]

        jobid = self.submit("printf", "a\\nb\\n")
        lines = asyncio.run(read(flux.job.output_watch_lines_async, jobid))
        self.assertEqual(lines, [("stdout", "a"), ("stdout", "b")])
        chunks = asyncio.run(read(flux.job.output_watch_async, jobid))
        self.assertEqual("".join(text for _, text in chunks), "a\nb\n")

    def test_output_of_now_does_not_wait(self):
        jobid = flux.job.submit(self.handle, command("true"), urgency=0)
        self.addCleanup(self.end, jobid)
        self.assertEqual(flux.job.job_output(self.handle, jobid, nowait=True).stdout, "")

    def test_a_job_that_never_ran_has_exceptions_for_output(self):
        jobid = flux.job.submit(self.handle, command("true"), urgency=0)
        flux.job.cancel(self.handle, jobid, "no")
        output = flux.job.job_output(self.handle, jobid)
        self.assertEqual(output.log, "job.exception: type=cancel severity=0 no\n")

    def test_jobs_are_watched_together(self):
        out, err = io.StringIO(), io.StringIO()
        jobs = [self.submit("echo", "a"), self.submit("sh", "-c", "echo b; exit 4")]
        watcher = flux.job.JobWatcher(
            self.handle, jobs, labelio=True, log_status=True, stdout=out, stderr=err
        )
        watcher.start()
        self.handle.reactor_run()
        self.assertEqual(watcher.exitcode, 4)
        expect = {f"{jobs[0]}: 0: a", f"{jobs[1]}: 0: b"}
        self.assertEqual(set(out.getvalue().splitlines()), expect)
        self.assertIn("failed: status=1024", err.getvalue())


class Changing(Live):
    def test_urgency_changes_while_a_job_is_pending(self):
        jobid = flux.job.submit(self.handle, command("true"), urgency=0)
        self.addCleanup(self.end, jobid)
        self.assertEqual(flux.job.set_urgency(self.handle, jobid, 1), 0)
        with self.assertRaisesRegex(OSError, "out of range"):
            flux.job.set_urgency(self.handle, jobid, 99)

    def test_a_limit_leaves_time(self):
        jobid = flux.job.submit(self.handle, command("sleep", "inf", duration=600))
        self.addCleanup(self.end, jobid)
        flux.job.event_wait(self.handle, jobid, "start")
        self.assertTrue(0 < flux.job.timeleft(self.handle, jobid) <= 600)
        self.assertEqual(flux.job.timeleft(self.handle, self.running()), math.inf)
        held = flux.job.submit(self.handle, command("true"), urgency=0)
        self.addCleanup(self.end, held)
        with self.assertRaisesRegex(ValueError, "has not started"):
            flux.job.timeleft(self.handle, held)

    def test_exceptions_are_raised_and_refused(self):
        jobid = self.running()
        flux.job.raise_exception(self.handle, jobid, severity=3, type="mine", note="a note")
        event = flux.job.event_wait(self.handle, jobid, "exception")
        self.assertEqual(event.context["type"], "mine")
        with self.assertRaisesRegex(OSError, "unknown job id"):
            flux.job.cancel(self.handle, 1)
        with self.assertRaisesRegex(OSError, "Invalid signal number"):
            flux.job.kill(self.handle, jobid, 999)


class Instance(Live):
    def test_resources_are_listed(self):
        jobid = self.running()
        resources = flux.resource.list.resource_list(self.handle).get()
        self.assertEqual(resources.all.ncores, resources.up.ncores)
        self.assertGreaterEqual(resources.allocated.ncores, 1)
        self.assertEqual(resources.free.ncores, resources.up.ncores - resources.allocated.ncores)
        self.assertEqual(jobid, self.running() and jobid)

    def test_nodes_are_drained_and_put_back(self):
        flux.resource.drain(self.handle, "0", "for a while").get()
        status = flux.resource.resource_status(self.handle).get()
        self.assertEqual(str(status.drained | status.draining), "0")
        self.assertEqual(status.drain_info[0].reason, "for a while")
        with self.assertRaises(FileExistsError):
            flux.resource.drain(self.handle, "0").get()
        flux.resource.undrain(self.handle, "0").get()
        self.assertEqual(str(flux.resource.resource_status(self.handle).get().avail), "0")
        consumer = flux.resource.ResourceJournalConsumer(self.handle, include_sentinel=True).start()
        events = []
        event = consumer.poll(60.0)
        while not event.is_empty():
            events.append(event)
            event = consumer.poll(60.0)
        names = [event.name for event in events]
        self.assertLess(names.index("resource-define"), names.index("drain"))
        self.assertEqual(events[names.index("drain")].context["reason"], "for a while")
        self.assertEqual(events[names.index("resource-define")].R["version"], 1)
        consumer.stop()
        with self.assertRaisesRegex(ValueError, "unknown mode 'hard'"):
            flux.resource.drain(self.handle, "0", mode="hard")

    def test_queues_are_listed(self):
        from flux.queue import QueueList

        (queue,) = QueueList(self.handle)
        self.assertEqual((queue.name, queue.enabled, queue.started), ("", True, True))
        self.assertEqual(queue.limits.timelimit, math.inf)
        self.assertGreaterEqual(queue.resources.all.ncores, 1)
        with self.assertRaisesRegex(ValueError, "No such queue: nope"):
            QueueList(self.handle, ["nope"])

    def test_named_queues_have_limits_and_resources(self):
        from flux.queue import QueueList

        policy = {
            "limits": {"duration": "1h", "job-size": {"max": {"nnodes": 2}}},
            "jobspec": {"defaults": {"system": {"duration": "10m"}}},
        }
        default = {"jobspec": {"defaults": {"system": {"queue": "batch"}}}}
        queues = {"batch": {"policy": policy}, "debug": {"requires": ["none-has-this"]}}
        self.addCleanup(lambda: self.handle.rpc("config.load", {}).get())
        self.handle.rpc("config.load", {"queues": queues, "policy": default}).get()
        listed = QueueList(self.handle)
        self.assertEqual(set(listed.queues), {"batch", "debug"})
        batch = listed.batch
        self.assertEqual((batch.is_default, batch.timelimit_default), (True, 600))
        self.assertEqual((batch.limits.timelimit, batch.limits.max.nnodes), (3600, 2))
        self.assertEqual(batch.limits.max.ncores, math.inf)
        self.assertEqual((listed["debug"].is_default, listed["debug"].resources.all.ncores), (False, 0))

    def test_an_instance_in_a_job_is_found_and_asked(self):
        script = (
            "#!/bin/sh\n"
            "flux kvs get --waitcreate done\n"
            "python3 -c 'import flux.job; print(0 < flux.job.timeleft() <= 600)'\n"
        )
        jobspec = JobspecV1.from_batch_command(
            script, "inner", output="kvs", duration="10m", conf={"resource": {"noverify": True}}
        )
        jobid = flux.job.submit(self.handle, jobspec)
        self.addCleanup(self.end, jobid)
        flux.job.event_wait(self.handle, jobid, "memo")
        uri = flux.uri.resolve_uri(f"{jobid}?local")
        with flux.Flux(str(uri)) as inner:
            self.assertEqual(JobID(inner.attr_get("jobid")), jobid)
            nested = flux.job.submit(inner, command("true"))
            self.assertEqual(flux.job.result(inner, nested).returncode, 0)
            flux.kvs.put(inner, "done", "yes")
            flux.kvs.commit(inner)
        self.assertEqual(flux.job.result(self.handle, jobid).returncode, 0)
        self.assertIn("True\n", flux.job.job_output(self.handle, jobid).stdout)
        with self.assertRaisesRegex(ValueError, "not found"):
            flux.uri.resolve_uri("ƒ2")


if __name__ == "__main__":
    unittest.main()
