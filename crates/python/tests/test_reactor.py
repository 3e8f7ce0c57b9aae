"""The reactor: watchers of time, descriptors, signals, events and requests."""

import errno
import os
import signal
import unittest

import flux
from flux.constants import (
    FLUX_MSGTYPE_EVENT,
    FLUX_MSGTYPE_REQUEST,
    FLUX_POLLIN,
    FLUX_REACTOR_NOWAIT,
    FLUX_ROLE_USER,
)


class Case(unittest.TestCase):
    def setUp(self):
        self.handle = flux.Flux()
        self.addCleanup(self.handle.close)
        self.seen = []


class Watchers(Case):
    def test_timers_go_off_in_their_order_and_repeat(self):
        def tick(handle, watcher, revents, args):
            self.assertIs(handle, self.handle)
            self.seen.append(args)
            if self.seen.count("again") == 3:
                watcher.stop()

        self.handle.timer_watcher_create(0.02, tick, args="late").start()
        self.handle.timer_watcher_create(0.0, tick, 0.001, "again").start()
        self.assertEqual(self.handle.reactor_run(), 0)
        self.assertEqual(self.seen, ["again"] * 3 + ["late"])

    def test_a_timer_can_be_reset(self):
        timer = self.handle.timer_watcher_create(1000.0, lambda *_: self.seen.append("tick"))
        timer.start()
        timer.reset(after=0.0)
        self.handle.reactor_run()
        self.assertEqual(self.seen, ["tick"])

    def test_a_descriptor_is_watched(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)

        def readable(handle, watcher, revents, args):
            self.seen.append((revents & FLUX_POLLIN, os.read(reader, 10), args))
            if len(self.seen) == 1:
                os.close(writer)
            else:
                handle.reactor_stop()

        with self.handle.fd_watcher_create(reader, readable, args="mine"):
            os.write(writer, b"x")
            self.assertEqual(self.handle.reactor_run(), 1)
        self.assertEqual(self.seen, [(FLUX_POLLIN, b"x", "mine"), (FLUX_POLLIN, b"", "mine")])

    def test_a_signal_is_watched(self):
        def came(handle, watcher, revents, args):
            self.seen.append(args)
            handle.reactor_stop()

        before = signal.getsignal(signal.SIGUSR1)
        with self.handle.signal_watcher_create(signal.SIGUSR1, came, "usr1"):
            self.handle.timer_watcher_create(0.0, lambda *_: os.kill(os.getpid(), signal.SIGUSR1)).start()
            self.handle.reactor_run()
        self.assertEqual(self.seen, ["usr1"])
        self.assertEqual(signal.getsignal(signal.SIGUSR1), before)

    def test_an_interrupt_ends_the_reactor_and_waits(self):
        def interrupt(*_):
            os.kill(os.getpid(), signal.SIGINT)

        self.handle.timer_watcher_create(0.0, interrupt).start()
        self.handle.timer_watcher_create(1000.0, interrupt).start()
        self.assertRaises(KeyboardInterrupt, self.handle.reactor_run)
        self.handle.service_register("py-deaf").get()
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        self.assertRaises(KeyboardInterrupt, self.handle.rpc("py-deaf.ask").get)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        self.assertRaises(KeyboardInterrupt, self.handle.event_recv)

    def test_prepare_check_and_idle_are_called_around_waits(self):
        def note(handle, watcher, revents, args):
            self.seen.append(args)
            if args == "idle":
                handle.reactor_stop()

        watchers = [
            self.handle.prepare_watcher_create(note, "prepare").start(),
            self.handle.check_watcher_create(note, "check").start(),
            self.handle.idle_watcher_create(note, "idle").start(),
        ]
        self.handle.reactor_run()
        self.assertEqual(self.seen, ["prepare", "check", "idle"])
        for watcher in watchers:
            watcher.destroy()
        self.assertEqual(self.handle.reactor_run(), 0)

    def test_one_that_is_not_referenced_does_not_keep_it_running(self):
        timer = self.handle.timer_watcher_create(1000.0, print)
        timer.start()
        timer.unref()
        self.assertEqual(self.handle.reactor_run(), 0)
        timer.ref()
        self.assertEqual(self.handle.reactor_run(flags=FLUX_REACTOR_NOWAIT), 1)
        timer.stop()

    def test_it_can_be_stopped_with_an_error(self):
        self.handle.timer_watcher_create(0.0, lambda handle, *_: handle.reactor_stop_error()).start()
        self.handle.timer_watcher_create(1000.0, print).start()
        self.assertFalse(flux.Flux.in_reactor())
        self.assertEqual(self.handle.reactor_run(), -1)


class Messages(Case):
    def test_events_reach_the_watchers_that_they_match(self):
        def event(handle, watcher, message, args):
            self.seen.append((message.type_str, message.topic, message.payload))
            if message.topic == "py-ev.end":
                handle.reactor_stop()

        self.handle.event_subscribe("py-ev")
        with self.handle.msg_watcher_create(event, FLUX_MSGTYPE_EVENT, "py-ev.*"):
            for topic in ("py-ev.a", "py-evil", "py-ev.end"):
                self.handle.event_send(topic, {"from": topic})
            self.handle.reactor_run()
        self.assertEqual([topic for _, topic, _ in self.seen], ["py-ev.a", "py-ev.end"])
        self.assertEqual(self.seen[0], ("event", "py-ev.a", {"from": "py-ev.a"}))

    def test_a_program_can_be_a_service(self):
        def double(handle, watcher, message, args):
            self.assertEqual(message.decode()[0], FLUX_MSGTYPE_REQUEST)
            handle.respond(message, {"n": message.payload["n"] * 2})

        def refuse(handle, watcher, message, args):
            handle.respond_error(message, errno.EINVAL, "no, thanks")

        def take(future):
            self.seen.append(future.error_string() or future.get())
            if len(self.seen) == 4:
                self.handle.reactor_stop()

        self.handle.service_register("py-math").get()
        self.handle.msg_watcher_create(double, FLUX_MSGTYPE_REQUEST, "py-math.double").start()
        self.handle.msg_watcher_create(refuse, FLUX_MSGTYPE_REQUEST, "py-math.refuse").start()
        guests = self.handle.msg_watcher_create(
            double, FLUX_MSGTYPE_REQUEST, "py-math.guests", rolemask=FLUX_ROLE_USER
        )
        guests.start()
        for method in ("double", "refuse", "unknown", "guests"):
            self.handle.rpc("py-math." + method, {"n": 4}).then(take)
        self.handle.reactor_run()
        expect = [{"n": 8}, "no, thanks", "Unknown service method 'py-math.unknown'", {"n": 8}]
        self.assertEqual(self.seen, expect)
        self.handle.service_unregister("py-math").get()
        self.assertRaises(OSError, self.handle.rpc("py-math.double", {"n": 1}).get)

    def test_guests_are_refused_unless_they_are_let_in(self):
        os.environ.update(FLUX_HANDLE_USERID="42", FLUX_HANDLE_ROLEMASK="0x2")
        try:
            guest = flux.Flux()
        finally:
            del os.environ["FLUX_HANDLE_USERID"], os.environ["FLUX_HANDLE_ROLEMASK"]
        self.addCleanup(guest.close)
        self.handle.service_register("py-own").get()

        def answer(handle, watcher, message, args):
            handle.respond(message, {"userid": message.userid})
            handle.reactor_stop()

        self.handle.msg_watcher_create(answer, FLUX_MSGTYPE_REQUEST, "py-own.secret").start()
        self.handle.msg_watcher_create(
            answer, FLUX_MSGTYPE_REQUEST, "py-own.open", rolemask=FLUX_ROLE_USER
        ).start()
        calls = [guest.rpc("py-own.secret"), guest.rpc("py-own.open")]
        # They come in this order, so the first is refused when the second is answered.
        self.handle.reactor_run()
        with self.assertRaisesRegex(PermissionError, "owner credentials"):
            calls[0].get()
        self.assertEqual(calls[1].get(), {"userid": 42})


if __name__ == "__main__":
    unittest.main()
