"""Executors: jobs as futures of `concurrent.futures`."""

import concurrent.futures as cf
import subprocess
import sys
import threading
import unittest

import flux
import flux.job
from flux.job import FluxExecutor, JobspecV1


def command(*words):
    return JobspecV1.from_command(list(words))


class Executors(unittest.TestCase):
    def test_results_are_exit_codes_and_signals(self):
        with FluxExecutor() as executor:
            self.assertIsInstance(executor, cf.Executor)
            futures = [
                executor.submit(command("sh", "-c", f"exit {code}")) for code in (0, 1, 7)
            ]
            self.assertEqual([future.result(60) for future in futures], [0, 1, 7])
            self.assertEqual(len({future.jobid() for future in futures}), 3)

    def test_futures_work_with_the_functions_of_the_library(self):
        with FluxExecutor(threads=2, thread_name_prefix="mine") as executor:
            futures = [executor.submit(command("true")) for _ in range(8)]
            done = list(cf.as_completed(futures, 60))
        self.assertEqual(len(done), 8)
        self.assertTrue(all(future.done() and not future.exception() for future in futures))

    def test_a_canceled_job_is_an_exception(self):
        with FluxExecutor() as executor, flux.Flux() as handle:
            future = executor.submit(command("sleep", "inf"))
            flux.job.cancel(handle, future.jobid(60), "enough")
            with self.assertRaises(flux.job.JobException) as caught:
                future.result(60)
            self.assertEqual((caught.exception.type, caught.exception.note), ("cancel", "enough"))
            self.assertIn("type=cancel", str(caught.exception))
            self.assertFalse(future.cancel())

    def test_a_job_that_is_not_taken_is_an_exception(self):
        with FluxExecutor() as executor:
            future = executor.submit("{}")
            with self.assertRaisesRegex(OSError, "Missing key"):
                future.result(60)
            with self.assertRaisesRegex(RuntimeError, "job could not be submitted"):
                future.jobid()

    def test_callbacks_hear_of_the_number_events_and_the_end(self):
        heard = []
        with FluxExecutor() as executor:
            future = executor.submit(command("true"))
            future.add_jobid_callback(lambda fut: heard.append(("jobid", fut.jobid())))
            for name in ("start", "finish", "clean"):
                future.add_event_callback(name, lambda fut, event: heard.append(event.name))
            future.add_done_callback(lambda fut: heard.append(("done", fut.result())))
            with self.assertRaisesRegex(ValueError, "unknown event name 'party'"):
                future.add_event_callback("party", print)
        jobid = future.jobid()
        self.assertEqual(heard[0], ("jobid", jobid))
        self.assertEqual(set(heard[1:]), {"start", "finish", "clean", ("done", 0)})
        # Past events are told at once.
        future.add_event_callback("finish", lambda fut, event: heard.append("again"))
        future.add_jobid_callback(lambda fut: heard.append("too"))
        self.assertEqual(heard[-2:], ["again", "too"])

    def test_a_callback_that_raises_is_logged(self):
        with FluxExecutor() as executor, self.assertLogs("flux.job", "ERROR"):
            future = executor.submit(command("true"))
            future.add_event_callback("clean", lambda fut, event: 1 / 0)
            executor.shutdown()

    def test_a_job_that_exists_is_followed(self):
        with flux.Flux() as handle, FluxExecutor() as executor:
            jobid = flux.job.submit(handle, command("sh", "-c", "exit 5"))
            self.assertEqual(executor.attach(jobid).result(60), 5)
            with self.assertRaises(FileNotFoundError):
                executor.attach(1).result(60)

    def test_after_the_end_nothing_is_taken(self):
        executor = FluxExecutor()
        executor.shutdown()
        with self.assertRaisesRegex(RuntimeError, "cannot schedule new futures after shutdown"):
            executor.submit(command("true"))
        with self.assertRaises(NotImplementedError):
            executor.map(print, [1])
        for wrong in [{"threads": 0}, {"poll_interval": -1}]:
            with self.assertRaises(ValueError):
                FluxExecutor(**wrong)

    def test_what_was_not_submitted_can_be_canceled(self):
        held = threading.Event()
        with FluxExecutor() as executor:
            first = executor.submit(command("true"))
            # The thread is kept busy, so that what follows stays where it is.
            first.add_jobid_callback(lambda _: held.wait(60))
            first.jobid(60)
            second, third = (executor.submit(command("true")) for _ in range(2))
            self.assertTrue(second.cancel())
            executor.shutdown(wait=False, cancel_futures=True)
            held.set()
        self.assertTrue(second.cancelled() and third.cancelled())
        self.assertEqual(first.result(), 0)
        with self.assertRaises(cf.CancelledError):
            second.jobid()

    def test_without_an_instance_futures_fail(self):
        with FluxExecutor(handle_args=("local:///nonexistent",)) as executor:
            future = executor.submit(command("true"))
            with self.assertRaises(FileNotFoundError):
                future.result(60)

    def test_futures_end_with_their_instance(self):
        script = "echo $FLUX_URI; read line || true"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(["flux", "start", "sh", "-c", script], **pipes) as instance:
            uri = instance.stdout.readline().strip()
            with FluxExecutor(handle_args=(uri.encode(),)) as executor:
                future = executor.submit(command("sleep", "inf"))
                future.jobid(60)
                instance.communicate("")
                self.assertIsNotNone(future.exception(60))
                late = executor.submit(command("true"))
                self.assertIsInstance(late.exception(60), OSError)

    def test_an_executor_that_nobody_holds_finishes_its_jobs(self):
        future = FluxExecutor().submit(command("true"))
        self.assertEqual(future.result(60), 0)

    def test_a_program_ends_though_its_jobs_run(self):
        program = (
            "import flux.job as job\n"
            "future = job.FluxExecutor().submit(job.JobspecV1.from_command(['sleep', 'inf']))\n"
            "print(future.jobid())\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
        )
        self.assertEqual(ran.stderr, "")
        with flux.Flux() as handle:
            flux.job.cancel(handle, ran.stdout.strip())


if __name__ == "__main__":
    unittest.main()
