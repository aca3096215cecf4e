#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: period_report
short_description: Make the reports of a period from the evidence of a client
description:
  - Reads the sealed runs of one client that ended in a period, and the beats of the watch, and makes a report for the
    client (trends, availability, what was found, ended and done), the auditor's report, their registers as
    spreadsheets, and all of it as one document.
  - Works on the control node, connects to no host, and reads the evidence of no other client.
  - Runs whose evidence was changed are named, and their numbers are not used.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  month:
    description:
      - Month of the client's calendar, like V(2026-10). By default the last month that is over; as of a day, its month.
    type: str
    default: ""
  first_day:
    description: First day of the period, like V(2026-10-01), by the client's calendar.
    type: str
    default: ""
  last_day:
    description: Last day of the period. By default today.
    type: str
    default: ""
  as_of:
    description: Cut the period off at the end of this day, as if it were today.
    type: str
    default: ""
  seed:
    description:
      - Seed of the auditor's sample. By default it comes from the hash of the newest manifest, so that nobody chose it.
    type: str
    default: ""
  reports:
    description: Which pages to make.
    type: list
    elements: str
    choices: [period, auditor]
    default: [period, auditor]
  formats:
    description:
      - V(html) are the pages. V(pdf) is the auditor's as PDF/A-3 with the evidence embedded. It needs WeasyPrint;
        without it there is a warning and the page as HTML.
    type: list
    elements: str
    choices: [html, pdf]
    default: [html]
  csv:
    description: How spreadsheets are written, see M(keepwell.fleet.render).
    type: str
    choices: [plain, excel_eu]
    default: plain
  destination:
    description: Folder for the files. By default C(reports/period-<first day>-<last day>) in the client's folder.
    type: path
  templates:
    description:
      - Folders to look for templates in before the collection's own, the first hit wins. Relative ones begin at the
        client's folder, where its inventory is.
    type: list
    elements: path
    default: []
  brand:
    description: Whose pages these are, as for M(keepwell.fleet.render).
    type: dict
    default: {}
  language:
    description:
      - Language of the auditor's page. V(client) is that of C(keepwell_client.locale), in which the other one always
        is.
    type: str
    choices: [en, nl, de, it, client]
    default: en
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
notes:
  - The same evidence gives the same bytes. A period that is not over ends with its newest run.
  - Run it on C(localhost), with the inventory of the client.
seealso:
  - module: keepwell.fleet.evidence_pack
  - module: keepwell.fleet.render
"""

EXAMPLES = r"""
- name: Report on the third quarter, with a sample that the auditor asked for
  keepwell.fleet.period_report:
    first_day: "2026-07-01"
    last_day: "2026-09-30"
    seed: audit-2026-11
"""

RETURN = r"""
folder:
  description: Folder of the files.
  returned: success
  type: str
files:
  description: All files of the reports, relative to RV(folder).
  returned: success
  type: list
  elements: str
  sample: [auditor.html, findings.csv, period.html, period.json, runs.csv]
changed_files:
  description: Those that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
client:
  description: Identifier of the client.
  returned: success
  type: str
first_day:
  description: First day of the period.
  returned: success
  type: str
last_day:
  description: Last day of the period.
  returned: success
  type: str
runs:
  description: How many runs ended in it.
  returned: success
  type: int
msg:
  description: What was done, in one sentence.
  returned: success
  type: str
"""
