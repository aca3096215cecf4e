#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deliver
short_description: Tell people and programs of a run, and send again what waits
description:
  - Makes a message for every receiver in C(keepwell_notify) to whom the run is news, puts it into the client's spool,
    and sends what the spool holds. Mail, signed webhooks, Slack, Microsoft Teams, and metrics for Prometheus.
  - A receiver that is down costs the run no more than O(limit_s) and never makes it fail. The message waits, is tried
    again later and later, and is given up after C(give_up_days).
  - The same run is told to the same recipient once. A mail or chat message that was cut off when it may have arrived is
    named and not repeated by itself; a webhook is repeated with the same C(Idempotency-Key).
  - Passwords and addresses of webhooks are read from variables when a message is sent and are written nowhere.
  - Fails when a message cannot be made (a broken template) or the spool cannot be written; what can be sent is sent
    first.
  - Works on the control node and connects to no host of the inventory.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  run:
    description:
      - Path of the C(run.json) of the run to tell of. Without it only what waits is sent.
    type: path
  templates:
    description:
      - Folders to look for templates in before the collection's own, as for M(keepwell.fleet.render).
    type: list
    elements: path
    default: []
  brand:
    description: Whose mail it is, as for M(keepwell.fleet.render).
    type: dict
    default: {}
  language:
    description:
      - Language of attached engineer's reports, and of chat messages whose receiver says no other. V(client) is that of
        C(keepwell_client.locale).
    type: str
    choices: [en, nl, de, it, client]
    default: en
  which:
    description:
      - V(due) sends what is new and what has waited long enough since it failed. V(waiting) also what would wait
        longer. V(doubtful) also what may have arrived already.
    type: str
    choices: [due, waiting, doubtful]
    default: due
  limit_s:
    description:
      - How many seconds sending may take in all. What there was no time for waits.
    type: int
    default: 45
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  check_mode:
    description: Says who would be told, and why; connects to nobody and writes nothing.
    support: full
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.render
  - module: keepwell.fleet.record
"""

EXAMPLES = r"""
- name: Tell of the run that was just recorded
  keepwell.fleet.deliver:
    run: "{{ keepwell_run.run }}"

- name: The mail server is back, do not wait for the next attempt
  keepwell.fleet.deliver:
    which: waiting
"""

RETURN = r"""
promised:
  description: To whom this run is news, and why.
  returned: success
  type: list
  elements: str
  sample: ["desk (mail to desk@msp.example): each run"]
sent:
  description: Messages that were taken.
  returned: success
  type: list
  elements: str
written:
  description: Folders whose metrics were replaced.
  returned: success
  type: list
  elements: str
waiting:
  description: Messages that wait, why, and until when.
  returned: success
  type: list
  elements: str
doubtful:
  description: Messages of which it is not known whether they arrived.
  returned: success
  type: list
  elements: str
given_up:
  description: Messages that are not tried any more.
  returned: success
  type: list
  elements: str
withdrawn:
  description: Messages whose receiver is no longer in C(keepwell_notify).
  returned: success
  type: list
  elements: str
msg:
  description: How many of each.
  returned: success
  type: str
"""
