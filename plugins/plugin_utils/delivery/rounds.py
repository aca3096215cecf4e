# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: one round of delivery: promise what a run is a reason for, then send what waits.

At most once where a receiver cannot tell a repetition: a mail or a chat message of which it is not known whether it
arrived is named, and sent again only when a person says so. At least once for signed webhooks: their receiver knows a
repetition by its id. What failed for certain is tried again, later and later, until it is given up.
"""

from __future__ import annotations

import hashlib
import time
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import metrics, wire
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.attempt import Answer, Gate, attempt
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.composing import Composer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.news import news
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.receivers import (
    AnyReceiver,
    Mail,
    Notify,
    Slack,
    Teams,
    Textfile,
    Webhook,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.spool import (
    ROOM,
    ROOM_WITH_FILES,
    Item,
    Spool,
    key_of,
    recent,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports import webhook
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.notice import cut
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import MASK, redact_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

Which = t.Literal["due", "waiting", "doubtful"]
# After the first, second ... failure; then once a day.
PAUSES_S = (300.0, 900.0, 3600.0, 10800.0, 21600.0, 43200.0)
_DAY_S = 86400.0
_TEXT_LIMIT = 300
# Less time than this is not worth to begin an attempt with.
_SHORTEST_S = 1.0


@dataclass
class Round:
    """What a round did, a sentence for each message, by what became of it."""

    promised: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Delivery:
    """Delivers for one client. ``now`` is the time by which is judged; ``act`` False only says what would be done."""

    def __init__(self, spool: Spool, notify: Notify, now: float, *, act: bool = True) -> None:
        self._spool = spool
        self._notify = notify
        self._now = now
        self._act = act
        self.done = Round()

    def promise(self, run: Run, composer: Composer) -> None:
        """Put a message into the spool for everybody to whom this run is news."""
        if run.header.client.id != self._spool.client:
            raise EvidenceError(
                f"Run {run.header.run_id} is of client '{run.header.client.id}', and the receivers are those of "
                f"'{self._spool.client}': nothing is sent."
            )
        if not recent(run.ended_at or run.header.started_at, self._now):
            raise EvidenceError(f"Run {run.header.run_id} is too old to be delivered; send its report by hand.")
        for name, receiver in self._notify.receivers.items():
            try:
                self._promise_to(name, receiver, run, composer)
            except EvidenceError as exc:
                self.done.problems.append(f"{name} ({receiver.channel}): {exc}")

    def _promise_to(self, name: str, receiver: AnyReceiver, run: Run, composer: Composer) -> None:
        told = self._spool.told(name)
        reasons, knows = news(receiver, run, told)
        if isinstance(receiver, Textfile):
            newest = told is None or told.run_id <= run.header.run_id
            if not (reasons and newest and self._write_metrics(name, receiver, run)):
                return
        elif reasons:
            self.done.notes += [f"{name} ({receiver.channel}): {sentence}" for sentence in composer.missing(receiver)]
            recipients = receiver.to if isinstance(receiver, Mail) else ("",)
            for recipient in recipients:
                self._promise_one(name, receiver, recipient, run, reasons, composer)
        if self._act and knows.run_id:
            self._spool.keep_told(name, knows)

    def _promise_one(
        self, name: str, receiver: AnyReceiver, recipient: str, run: Run, reasons: list[str], composer: Composer
    ) -> None:
        key = key_of(self._spool.client, run.header.run_id, name, recipient)
        if self._spool.knows(key):
            return
        payload = composer.message(receiver, recipient, key, self._notify.smtp, self._now)
        used = self._spool.used()
        bare = isinstance(receiver, Mail) and bool(receiver.attach) and used + len(payload) > ROOM_WITH_FILES
        if bare:
            payload = composer.message(receiver, recipient, key, self._notify.smtp, self._now, attach=False)
        item = Item(
            client=self._spool.client,
            run_id=run.header.run_id,
            receiver=name,
            channel=receiver.channel,
            recipient=recipient,
            reasons=reasons,
            payload_sha256=hashlib.sha256(payload).hexdigest(),
            created_at=iso(self._now),
            give_up_at=iso(self._now + receiver.give_up_days * _DAY_S),
            next_at=iso(self._now),
        )
        if used + len(payload) > ROOM:
            text = f"{used // 1_000_000} MB of messages wait for this client already: nothing more fits."
            if self._act:
                self._spool.end(item, "given_up", self._now, text)
            self.done.given_up.append(f"{item.name}: {text}")
            return
        if self._act:
            self._spool.add(item, payload)
        self.done.promised.append(f"{item.name}: {', '.join(reasons)}")
        if bare:
            waits = f"{used // 1_000_000} MB of messages wait for this client already"
            self.done.notes.append(f"{item.name}: it is without attachments, {waits}.")

    def _write_metrics(self, name: str, receiver: Textfile, run: Run) -> bool:
        """Put the metrics of a run into place; a folder that is not there is told, and no reason to stop."""
        folder = Path(receiver.directory)
        try:
            changed = metrics.write_run(folder, run, hosts=receiver.hosts, act=self._act)
        except OSError as exc:
            self.done.waiting.append(f"{name} (textfile): {folder} cannot be written: {exc.strerror}.")
            return False
        if changed:
            self.done.written.append(f"{name} (textfile): {folder}")
        return True

    def send(self, limit_s: float, which: Which = "due") -> None:
        """Send what waits, for ``limit_s`` seconds at most; what there is no time for waits on."""
        if not self._act:
            items, problems = self._spool.items()
            self.done.problems += problems
            self.done.waiting += [f"{item.name}: waits since {item.created_at}" for item in items]
            return
        with self._spool.locked() as ours:
            if ours:
                self._spool.tidy(self._now)
                self._send_all(time.monotonic() + limit_s, which)
            else:
                self.done.waiting.append("Another process is sending for this client; what waits is left to it.")
        self._tell_metrics()

    def _send_all(self, end: float, which: Which) -> None:
        items, problems = self._spool.items()
        self.done.problems += problems
        down: set[str] = set()
        for item in items:
            receiver = self._receiver_of(item)
            if receiver is None:
                self._spool.end(item, "withdrawn", self._now, "it is no receiver any more")
                self.done.withdrawn.append(f"{item.name}: it is no receiver any more.")
                continue
            server = "smtp" if isinstance(receiver, Mail) else item.receiver
            item = self._after_a_crash(item, receiver)
            if item.state == "doubtful" and which != "doubtful":
                self._doubt(item)
            elif which == "due" and epoch(item.next_at) > self._now:
                self.done.waiting.append(f"{item.name}: {item.text} Next attempt after {item.next_at}.".strip())
            elif server in down or end - time.monotonic() < _SHORTEST_S:
                self.done.waiting.append(f"{item.name}: not tried now.")
            else:
                answer = self._attempt(item, receiver, end)
                if answer.down:
                    down.add(server)
                self._settle(item, receiver, answer)

    def _receiver_of(self, item: Item) -> AnyReceiver | None:
        """Return who gets a message by what the client's files say now, None when that is nobody any more."""
        receiver = self._notify.receivers.get(item.receiver)
        if receiver is None or receiver.channel != item.channel:
            return None
        return receiver if not isinstance(receiver, Mail) or item.recipient in receiver.to else None

    def _after_a_crash(self, item: Item, receiver: AnyReceiver) -> Item:
        """An attempt that no process is making any more ended between its point of no return and its note."""
        if item.state != "sending":
            return item
        again = isinstance(receiver, Webhook)
        text = "The process that sent it came to its end before it could note the answer."
        found = item.model_copy(update={"state": "waiting" if again else "doubtful", "text": text})
        self._spool.update(found)
        return found

    def _doubt(self, item: Item) -> None:
        if epoch(item.give_up_at) <= self._now:
            self._spool.end(item, "given_up", self._now, f"in doubt, and nobody decided: {item.text}")
            self.done.given_up.append(f"{item.name}: in doubt, and nobody decided. {item.text}")
        else:
            self.done.doubtful.append(f"{item.name}: it may have arrived. {item.text}")

    def _attempt(self, item: Item, receiver: AnyReceiver, end: float) -> Answer:
        try:
            payload = self._spool.payload(item)
        except EvidenceError as exc:
            return Answer("failed", str(exc))

        def mark() -> None:
            self._spool.update(item.model_copy(update={"state": "sending", "attempts": item.attempts + 1}))

        limit = min(self._limit_of(receiver), max(_SHORTEST_S, end - time.monotonic()))
        return attempt(lambda gate: self._wire(item, receiver, payload, gate), mark, limit)

    def _limit_of(self, receiver: AnyReceiver) -> float:
        if isinstance(receiver, (Webhook, Slack, Teams)):
            return receiver.timeout_s
        return self._notify.smtp.timeout_s if self._notify.smtp else _SHORTEST_S

    def _wire(self, item: Item, receiver: AnyReceiver, payload: bytes, gate: Gate) -> Answer:
        if isinstance(receiver, Mail):
            if self._notify.smtp is None:
                return Answer("failed", "keepwell_smtp is not set.", down=True)
            return wire.send_mail(self._notify.smtp, item.recipient, payload, gate)
        if isinstance(receiver, (Webhook, Slack, Teams)):
            headers = {"Content-Type": "application/json; charset=utf-8"}
            if isinstance(receiver, Webhook):
                # The receiver compares it with its own clock: the real time, whatever time a test judges by.
                headers |= webhook.headers(receiver.secret.get_secret_value(), item.key, int(time.time()), payload)
            return wire.post(
                receiver.url.get_secret_value(),
                headers,
                payload,
                timeout_s=receiver.timeout_s,
                ca_file=receiver.ca_file,
                gate=gate,
            )
        return Answer("failed", f"channel {item.channel} is not sent.")

    def _settle(self, item: Item, receiver: AnyReceiver, answer: Answer) -> None:
        text = self._clean(answer.text)
        item = item.model_copy(update={"attempts": item.attempts + 1, "text": text, "state": "waiting"})
        if answer.outcome == "sent":
            self._spool.end(item, "sent", self._now, text)
            self.done.sent.append(f"{item.name}: {text}")
            return
        if answer.outcome == "doubtful" and not isinstance(receiver, Webhook):
            item = item.model_copy(update={"state": "doubtful"})
            self._spool.update(item)
            self._doubt(item)
            return
        if epoch(item.give_up_at) <= self._now:
            self._spool.end(item, "given_up", self._now, text)
            self.done.given_up.append(f"{item.name}: given up after {item.attempts} attempts. {text}")
            return
        pause = max(
            PAUSES_S[item.attempts - 1] if item.attempts <= len(PAUSES_S) else _DAY_S, answer.retry_after_s or 0
        )
        item = item.model_copy(update={"next_at": iso(min(self._now + pause, epoch(item.give_up_at)))})
        self._spool.update(item)
        self.done.waiting.append(f"{item.name}: {text} Next attempt after {item.next_at}.")

    def _clean(self, text: str) -> str:
        """Return what a server answered without secrets, without what deceives the eye, in short; as a sentence."""
        for secret in sorted(self._notify.secrets(), key=len, reverse=True):
            text = text.replace(secret, MASK)
        text = cut(visible(redact_text(text)), _TEXT_LIMIT)
        return text if text.endswith((".", "…")) else f"{text}."

    def _tell_metrics(self) -> None:
        """Write how many messages wait and are in doubt, so that an alert can say so by another way."""
        folders = {r.directory for r in self._notify.receivers.values() if isinstance(r, Textfile)}
        items, _problems = self._spool.items()
        names: Sequence[str] = [n for n, r in self._notify.receivers.items() if not isinstance(r, Textfile)]
        for folder in sorted(folders):
            try:
                metrics.write_delivery(Path(folder), self._spool, names, items)
            except OSError as exc:
                self.done.problems.append(f"{folder} cannot be written: {exc.strerror}.")
