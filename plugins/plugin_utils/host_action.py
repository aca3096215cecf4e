# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how an action asks a host for something: by stream, or by a module where that cannot be.

Runs on the control node.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry as probes
from ansible_collections.keepwell.fleet.plugins.plugin_utils import observation, payload
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import plain
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import connection

# All probes of one look together.
OBSERVE_BUDGET_S = 45.0
# Between two tries to reach a host again.
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 15.0
# Between two signs of life while an action of another collection is at work.
_PULSE_S = 30.0
# The one way to become somebody else that Ansible has there.
_BECOME_OF_WINDOWS = "runas"
_LIBRARIES = ("pypsrp", "winrm", "spnego", "requests", "urllib3")
# What Ansible says when ssh closed its end before anything was sent; ssh's own words are then lost.
_NOT_SENT = "Data could not be sent to remote host"
_Answer = t.TypeVar("_Answer")


class HostError(Exception):
    """The host was reached and what it answered cannot be used; one sentence for a person."""


class UnansweredError(HostError):
    """The host was reached, and what was to answer was ended by a signal."""


class HostAction(ActionBase):  # type: ignore[misc]
    """An action that talks to the host it runs for."""

    # Whose agent on the host is asked: a package of ``module_utils`` with a module ``_agent``.
    CHORE: t.ClassVar[str] = ""
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def pulse(self) -> None:
        """Give a sign of life where somebody waits for one; called while this waits for the host."""

    def on_windows(self) -> bool:
        """True when the host runs modules in PowerShell: they are found beside those in Python, by the same names."""
        return ".ps1" in self._connection.module_implementation_preferences

    def streams(self) -> bool:
        """True when Python programs can be sent over the connection's standard input."""
        if self.on_windows():
            return False
        return bool(self._connection.has_pipelining and self._connection.is_pipelining_enabled())

    def silence(self, exc: AnsibleConnectionFailure) -> str:
        """Return why the host was not reached; of a Windows host in plain words, with its own behind.

        Where Ansible only knows that nothing could be sent any more, because ssh had closed its end and not yet told
        why, the host is asked once more, with nothing to send.
        """
        message = cause(str(exc))
        if self.on_windows():
            return connection.words(message)
        if not message.startswith(_NOT_SENT):
            return message
        try:
            self._low_level_execute_command(":", sudoable=False)
        except AnsibleConnectionFailure as told:
            return cause(str(told))
        except AnsibleError:
            return message
        return f"the connection ended while it was used, and could be made again. {message}"

    def ask(self, request: Mapping[str, t.Any], task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return what the chore's agent on the host answers to a request (see ``module_utils/chores/_answer.py``).

        Raises AnsibleConnectionFailure when the host is not reached and HostError when it cannot answer.
        """
        try:
            answer = self._stream(request, task_vars) if self.streams() else self._module(request, task_vars)
        except AnsibleConnectionFailure:
            raise
        except payload.EndedError as exc:
            raise UnansweredError(one_line(str(exc))) from exc
        except (AnsibleError, payload.PayloadError) as exc:
            raise HostError(one_line(str(exc))) from exc
        if answer.get("error"):
            raise HostError(one_line(f"{answer.get('text') or answer['error']}"))
        return answer

    def _stream(self, request: Mapping[str, t.Any], task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
        interpreter = plain(self._templar.template(task_vars.get("ansible_python_interpreter")))
        command = payload.command(interpreter if isinstance(interpreter, str) else None)
        answer = self._low_level_execute_command(command, in_data=payload.agent(self.CHORE, request), sudoable=True)
        return payload.read_answer(answer["stdout"], answer["stderr"], answer["rc"])

    def _module(self, request: Mapping[str, t.Any], task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
        # Ansible logs what a module is told, but for what the module calls secret.
        told = {name: value for name, value in request.items() if name != "secrets"}
        told = {"chore": self.CHORE, "request": told, "secrets": request.get("secrets") or {}}
        result = self.run_module("keepwell.fleet.agent", told, task_vars)
        if result.get("unreachable"):
            raise AnsibleConnectionFailure(str(result.get("msg", "")))
        if result.get("failed") or "answer" not in result:
            raise HostError(one_line(str(result.get("msg") or result.get("module_stderr") or "no answer")))
        return t.cast("dict[str, t.Any]", plain(result["answer"]))

    def run_module(self, name: str, arguments: Mapping[str, t.Any], task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return what a module returns. Raises AnsibleError, and AnsibleConnectionFailure where the connection fails.

        The connections to Windows let through what their libraries raise, and stay broken until they are reset.
        """
        become = self._connection.become
        if self.on_windows() and become is not None and become.name != _BECOME_OF_WINDOWS:
            raise AnsibleError(
                f"Windows has no {become.name}: set ansible_become: false for Windows hosts (group_vars/windows.yml). "
                "Keepwell has the rights of the account that it signs in with."
            )
        try:
            with self._own_language():
                return t.cast(
                    "dict[str, t.Any]",
                    self._execute_module(module_name=name, module_args=dict(arguments), task_vars=dict(task_vars)),
                )
        except Exception as exc:
            if not self.on_windows():
                raise
            with contextlib.suppress(Exception):
                self._connection.reset()
            if isinstance(exc, AnsibleError) or not _is_of_a_connection(exc):
                raise
            raise AnsibleConnectionFailure(str(exc) or type(exc).__name__) from exc

    @contextlib.contextmanager
    def _own_language(self) -> Iterator[None]:
        """Let modules be found in the language of the host.

        Without an ending Ansible takes the first file of a name, and ``assess.ps1`` comes before ``assess.py``.
        """
        known = self._connection.module_implementation_preferences
        if not self.on_windows():
            self._connection.module_implementation_preferences = (".py",)
        try:
            yield
        finally:
            self._connection.module_implementation_preferences = known

    def observe(
        self, subset: Sequence[str], parameters: Mapping[str, t.Any], task_vars: Mapping[str, t.Any]
    ) -> dict[str, t.Any]:
        """Return an observation document of the host by these probes. Raises like ``ask``."""
        request: dict[str, t.Any] = {
            "subset": list(subset),
            "parameters": dict(parameters),
            "budget_s": OBSERVE_BUDGET_S,
        }
        try:
            if self.streams():
                interpreter = plain(self._templar.template(task_vars.get("ansible_python_interpreter")))
                command = payload.command(interpreter if isinstance(interpreter, str) else None)
                answer = self._low_level_execute_command(command, in_data=payload.program(**request), sudoable=True)
                document = payload.read_answer(answer["stdout"], answer["stderr"], answer["rc"])
            else:
                result = self.run_module("keepwell.fleet.assess", request, task_vars)
                if result.get("unreachable"):
                    raise AnsibleConnectionFailure(str(result.get("msg", "")))
                if result.get("failed") or "observation" not in result:
                    raise HostError(one_line(str(result.get("msg") or result.get("module_stderr") or "no answer")))
                document = t.cast("dict[str, t.Any]", plain(result["observation"]))
        except AnsibleConnectionFailure:
            raise
        except payload.EndedError as exc:
            raise UnansweredError(one_line(str(exc))) from exc
        except (AnsibleError, payload.PayloadError) as exc:
            raise HostError(one_line(str(exc))) from exc
        wrong = observation.check_shape(document)
        if wrong:
            raise HostError(f"what came back is no observation: {wrong}")
        return t.cast("dict[str, t.Any]", redact(observation.complete(document, probes.select(request["subset"]))))

    def upstream(self, name: str, arguments: Mapping[str, t.Any], task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return what an action of another collection returns, done in place of this one over the same connection.

        It may take long: signs of life are given meanwhile. Raises like ``ask``.
        """
        task = self._task.copy()
        task.action, task.args, task.async_val = name, dict(arguments), 0
        loader = self._shared_loader_obj
        action = loader.action_loader.get(
            name,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=loader,
        )
        if action is None:
            raise HostError(f"The control node lacks {name}: install the collections of requirements.yml.")
        try:
            with self._pulsing():
                return t.cast("dict[str, t.Any]", plain(action.run(task_vars=dict(task_vars))))
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as exc:
            raise HostError(one_line(str(exc))) from exc

    @contextlib.contextmanager
    def _pulsing(self) -> t.Iterator[None]:
        """Give signs of life while something that cannot give them itself is at work."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(_PULSE_S):
                self.pulse()

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            yield
        finally:
            done.set()
            beating.join()

    def ask_until(
        self, request: Mapping[str, t.Any], task_vars: Mapping[str, t.Any], patience_s: float
    ) -> dict[str, t.Any]:
        """Like ``ask``, patiently; for requests that may arrive twice."""
        return self.patiently(lambda: self.ask(request, task_vars), patience_s)

    def patiently(self, step: t.Callable[[], _Answer], patience_s: float) -> _Answer:
        """Return what a step returns; when its connection fails try again until it was gone for ``patience_s`` seconds.

        A host that goes down may end the program before the connection: that is no answer, and no last word either.
        """
        end = time.monotonic() + patience_s
        pause = _FIRST_PAUSE_S
        while True:
            self.pulse()
            try:
                return step()
            except (AnsibleConnectionFailure, UnansweredError):
                if time.monotonic() + pause > end:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                # A kept connection may be dead, and would stay so.
                with contextlib.suppress(Exception):
                    self._connection.reset()


def _is_of_a_connection(exc: Exception) -> bool:
    """True for what the libraries of WinRM raise; a ValueError is how pypsrp says that its session never opened."""
    return isinstance(exc, OSError | ValueError) or type(exc).__module__.partition(".")[0] in _LIBRARIES


def cause(message: str) -> str:
    """Return what ssh itself said; Ansible puts a general sentence before it, which hides it in a short line."""
    return re.split(r"(?:over|via) ssh:", message, maxsplit=1)[-1].strip() or message


def one_line(text: str) -> str:
    """Return a message as one line of at most 300 characters, as it goes into a report."""
    return " ".join(str(text).split())[:300]
