"""Runs a command on a terminal, as a user at the keys.

typist.py ROWS COLS COMMAND... reads what the user does from standard input, a line each:
  expect TEXT      wait until the terminal has shown TEXT, behind what was expected before
  send TEXT        type TEXT, with \\r, \\n and \\xNN
  size ROWS COLS   change the size of the terminal
  signal NAME      send a signal to the command
  modes same|raw   wait until the terminal is as it was, or is in another mode
  hangup           the terminal goes away
It copies what is shown to standard output, and ends as the command does. With 99 when something
expected did not come, with 98 when the command left the terminal in another mode.
"""

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time


class Failed(Exception):
    pass


class Terminal:
    def __init__(self, rows, cols, command):
        self.shown = b""
        self.wait = int(os.environ.get("FLUX_TEST_WAIT") or 30)
        self.ours, self.theirs = os.openpty()
        self.size(rows, cols)
        self.before = termios.tcgetattr(self.theirs)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.ours)
            os.setsid()
            fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(self.theirs, fd)
            os.execvp(command[0], command)

    def size(self, rows, cols):
        size = struct.pack("HHHH", int(rows), int(cols), 0, 0)
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, size)

    def read(self, seconds):
        """Takes in what is shown, for some time at most; False if nothing was."""
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        data = os.read(self.ours, 65536)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self.shown += data
        return True

    def expect(self, text):
        until = time.monotonic() + self.wait
        while text not in self.shown:
            if not self.read(max(0, until - time.monotonic())):
                raise Failed(f"not shown: {text!r}")
        self.shown = self.shown[self.shown.index(text) + len(text):]

    def send(self, text):
        os.write(self.ours, text)

    def modes(self, want):
        until = time.monotonic() + self.wait
        while (termios.tcgetattr(self.theirs) == self.before) != (want == "same"):
            if time.monotonic() > until:
                raise Failed(f"modes are not {want}")
            self.read(0.05)

    def hangup(self):
        os.close(self.ours)
        os.close(self.theirs)
        self.ours = self.theirs = None

    def end(self):
        """Waits for the command, and gives its code."""
        until = time.monotonic() + self.wait
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
                raise Failed("the command does not end")
            if self.ours is None:
                time.sleep(0.01)
            else:
                self.read(0.05)
        while self.ours is not None and self.read(0):
            pass
        killed = os.WIFSIGNALED(status)
        if not killed and self.theirs is not None and termios.tcgetattr(self.theirs) != self.before:
            print("typist.py: the terminal is not as it was", file=sys.stderr)
            return 98
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def main():
    terminal = Terminal(sys.argv[1], sys.argv[2], sys.argv[3:])
    try:
        for line in sys.stdin:
            verb, _, rest = line.rstrip("\n").partition(" ")
            text = rest.encode().decode("unicode_escape").encode("latin-1")
            if verb == "expect":
                terminal.expect(text)
            elif verb == "send":
                terminal.send(text)
            elif verb == "size":
                terminal.size(*rest.split())
            elif verb == "signal":
                os.kill(terminal.pid, getattr(signal, rest))
            elif verb == "modes":
                terminal.modes(rest)
            elif verb == "hangup":
                terminal.hangup()
            else:
                raise Failed(f"no such verb: {verb}")
        return terminal.end()
    except Failed as error:
        print(f"\ntypist.py: {error}", file=sys.stderr)
        os.kill(terminal.pid, signal.SIGKILL)
        return 99


sys.exit(main())
