# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: end a piece of work in good order, on SIGTERM and when its time is over.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import signal
import time

# How often it is looked whether the work may go on.
_WATCH_S = 2.0
_ENDS = (
    (signal.SIGTERM, "interrupted", "The test was ended from outside (SIGTERM)."),
    (signal.SIGALRM, "timeout", "The test did not end in its time. Allow more, or test a smaller part."),
)


class Ended(BaseException):
    """Somebody ends the work, or its time is over. No Exception: no driver may take it for one of its own."""

    def __init__(self, code, text):
        super(Ended, self).__init__(text)
        self.code = code
        self.text = text


class Ending(object):
    """While it is entered signals raise Ended, once, and only where that is possible; cleaning up is never ended."""

    def __init__(self, seconds, first, against=None):
        """``seconds`` until the time is over; ``first()`` is called before Ended is raised. ``against()`` is asked all
        the while whether something stands against going on: (code, text), or None."""
        self._end = time.monotonic() + max(1.0, seconds)
        self._first = first
        self._against = against or (lambda: None)
        self._possible = False
        self._before = []

    def __enter__(self):
        for number, code, text in _ENDS:
            self._before.append((number, signal.signal(number, self._handler(code, text))))
        signal.setitimer(signal.ITIMER_REAL, _WATCH_S, _WATCH_S)
        return self

    def __exit__(self, *_problem):
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before:
            signal.signal(number, handler)

    @contextlib.contextmanager
    def possible(self):
        """The part of the work that may be ended."""
        try:
            self._possible = True
            yield
        finally:
            self._possible = False

    def _handler(self, code, text):
        def end(number, _frame):
            why = (code, text)
            if number == signal.SIGALRM and time.monotonic() < self._end:
                why = self._against() if self._possible else None
            if why and self._possible:
                self._possible = False
                self._first()
                raise Ended(*why)

        return end
