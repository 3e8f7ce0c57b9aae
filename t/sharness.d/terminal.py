"""Runs a command in a pseudo terminal by a script (see terminal.sh)."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

COLUMNS, ROWS = 80, 24
PATIENCE = float(os.environ.get("FLUX_TEST_WAIT", "30"))
SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Screen:
    """As much of a terminal as our commands use: places, erasing, and characters."""

    def __init__(self):
        self.pending = b""
        self.clear()

    def clear(self):
        self.rows = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0

    def feed(self, data):
        self.pending += data
        try:
            text = self.pending.decode()
            self.pending = b""
        except UnicodeDecodeError as error:
            text = self.pending[: error.start].decode()
            self.pending = self.pending[error.start :]
        at = 0
        while at < len(text):
            match = SEQUENCE.match(text, at)
            if match:
                self.obey(match.group(1), match.group(2))
                at = match.end()
            elif text[at] == "\x1b":
                self.pending = text[at:].encode() + self.pending
                return
            else:
                self.put(text[at])
                at += 1

    def obey(self, numbers, letter):
        if letter == "J" or numbers == "?1049":
            self.clear()
        elif letter == "H":
            row, column = (numbers.split(";") + ["1"])[:2]
            self.row, self.column = int(row or 1) - 1, int(column) - 1

    def put(self, character):
        if character == "\n":
            self.row += 1
        elif character == "\r":
            self.column = 0
        elif self.row < ROWS and self.column < COLUMNS:
            self.rows[self.row][self.column] = character
            self.column += 1

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.rows)


def run(steps, command):
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = Screen()

    def wait_until(condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            left = end - time.monotonic()
            ready = left > 0 and select.select([terminal], [], [], left)[0]
            try:
                data = os.read(terminal, 65536) if ready else b""
            except OSError:
                data = b""
            if not data:
                print(f"never: {what}\n{screen.text()}", file=sys.stderr)
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                sys.exit(125)
            screen.feed(data)

    for step in steps:
        word, _, text = step.partition(" ")
        if word == "see":
            wait_until(lambda: text in screen.text(), step)
        elif word == "gone":
            wait_until(lambda: text not in screen.text(), step)
        elif word == "type":
            os.write(terminal, text.encode().decode("unicode_escape").encode())
        elif word == "kill":
            os.kill(child, getattr(signal, "SIG" + text))
        else:
            sys.exit(f"unknown step: {step}")
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        screen.feed(data)
    _, status = os.waitpid(child, 0)
    print(screen.text().rstrip())
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    with open(sys.argv[1]) as script:
        lines = [line.rstrip("\n") for line in script if line.strip()]
    code = run(lines, sys.argv[2:])
    sys.exit(code if code >= 0 else 128 - code)
