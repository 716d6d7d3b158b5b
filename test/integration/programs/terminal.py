"""Runs a command on a terminal of its own and prints a JSON object about its end.

terminal.py unread COMMAND...  The terminal takes no output, as after Ctrl-S. SIGTERM comes when the
                               command has made the terminal raw.
terminal.py full COMMAND...    The same on a terminal that nobody reads and that is full.
terminal.py stop PID COMMAND...
                               SIGTERM comes when something was drawn and the process PID, which is
                               asked for it, has been stopped.
terminal.py key K COMMAND...   The key K is pressed when something was drawn.
"""

import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time

LIMIT = 10
LOCAL_FLAGS = 3


def is_cooked(terminal):
    return bool(termios.tcgetattr(terminal)[LOCAL_FLAGS] & termios.ICANON)


def start(command, terminal):
    def own():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    return subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE, preexec_fn=own
    )


def until(condition, child):
    end = time.monotonic() + LIMIT
    while not condition():
        if child.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def fill(terminal):
    """Writes until nothing more fits."""
    terminal = os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        while True:
            os.write(terminal, b"." * 4096)
    except BlockingIOError:
        os.close(terminal)


def drain(master, output):
    while select.select([master], [], [], 0)[0]:
        output += os.read(master, 65536)
    return output


def main():
    mode, *command = sys.argv[1:]
    master, terminal = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    output = bytearray()
    if mode == "unread" or mode == "full":
        if mode == "full":
            fill(terminal)
        else:
            termios.tcflow(terminal, termios.TCOOFF)
        child = start(command, terminal)
        reached = until(lambda: not is_cooked(terminal), child)
        child.send_signal(signal.SIGTERM)
    elif mode == "stop":
        pid, *command = command
        child = start(command, terminal)
        reached = until(lambda: b"process " in drain(master, output), child)
        os.kill(int(pid), signal.SIGSTOP)
        child.send_signal(signal.SIGTERM)
    else:
        key, *command = command
        child = start(command, terminal)
        reached = until(lambda: b"process " in drain(master, output), child)
        os.write(master, key.encode())
    if mode == "full":
        until(lambda: False, child)
    else:
        until(lambda: drain(master, output) is None, child)
    ended = child.poll() is not None
    if mode == "stop":
        os.kill(int(pid), signal.SIGCONT)
    if not ended:
        child.kill()
    stderr = child.communicate()[1].decode()
    drain(master, output)
    print(
        json.dumps(
            {
                "reached": reached,
                "ended": ended,
                "code": child.returncode,
                "cooked": is_cooked(terminal),
                "output": output.decode(),
                "stderr": stderr,
            }
        )
    )


main()
