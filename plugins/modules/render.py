#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: render
short_description: Make reports and exports from the evidence of a run
description:
  - Reads the C(run.json) of one run and makes the owner's page (HTML, PDF), the engineer's report (HTML), a summary
    (Markdown), spreadsheets (CSV) and a canonical copy of the run (JSON) from it.
  - Nothing but the run and the templates goes in. The same run and templates give the same bytes, at any time and on
    any machine, so a report can be made again years later and compared.
  - The HTML is one file without scripts and without anything loaded from elsewhere. Above 300 hosts every host has a
    page of its own in C(hosts/).
  - A run that does not cover everything has C(.partial) in the names of its files and a banner that says so.
  - Works on the control node and connects to no host.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  run:
    description: Path of the C(run.json) of a run.
    type: path
    required: true
  destination:
    description:
      - Folder for the files; made when it does not exist.
      - By default C(reports/<date>-<run id>) in the client's folder, beside C(runs).
    type: path
  reports:
    description:
      - Which reports to make. V(owner) is one page for the client's owner, in the language of
        C(keepwell_client.locale); V(engineer) is everything, in O(language); V(auditor) is what an auditor asks of this
        run alone, see M(keepwell.fleet.period_report).
    type: list
    elements: str
    choices: [owner, engineer, auditor]
    default: [owner, engineer]
  formats:
    description:
      - Which kinds of files to make. V(html) is the report, V(md) a summary for tickets and chat, V(csv) all results
        and all open findings, V(json) the run itself, V(prom) its numbers as metrics for Prometheus.
      - V(pdf) is the owner's page as PDF/UA, and the auditor's as PDF/A-3 with the evidence embedded. It needs
        WeasyPrint; without it there is a warning and the page as HTML.
    type: list
    elements: str
    choices: [html, md, csv, json, prom, pdf]
    default: [html, md, csv, json, prom]
  csv:
    description:
      - How spreadsheets are written. V(plain) is for programs; V(excel_eu) opens by a double click where Excel takes
        the comma for the decimal sign, with semicolons, decimal commas and a byte order mark.
    type: str
    choices: [plain, excel_eu]
    default: plain
  templates:
    description:
      - Folders to look for templates in before the collection's own, the first hit wins. Give the client's folder
        first, then your company's. Relative ones begin at the client's folder, where its inventory is.
      - A folder needs only the files that differ, under the names they have in C(roles/health_report/templates).
    type: list
    elements: path
    default: []
  brand:
    description:
      - Whose pages these are, with the keys C(name) (stands above every page), C(accent) (colour of that name as
        C(#rrggbb), refused when its contrast to the page is below 4.5) and C(logo) (path of a PNG or JPEG, which
        becomes part of the page) and C(contact) (where an owner answers, on the owner's page).
    type: dict
    default: {}
  language:
    description:
      - Language of the engineer's and the auditor's page and of the summary. The owner's page is in that of
        C(keepwell_client.locale), tables are in English. V(client) is that of C(keepwell_client.locale).
    type: str
    choices: [en, nl, de, it, client]
    default: en
  latest:
    description:
      - Let the link C(latest) in the client's folder point to this report.
      - Only a run that covers everything becomes the latest, only in the usual place (without O(destination)), and
        never one older than what the link points to.
    type: bool
    default: false
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: full
    details: Shows Markdown and CSV line by line, other files by their size.
notes:
  - Files are replaced as a whole and only when their content differs. Files that belong to no report are left alone.
seealso:
  - module: keepwell.fleet.record
"""

EXAMPLES = r"""
- name: Report on the run that was just recorded
  keepwell.fleet.render:
    run: "{{ keepwell_run.run }}"

- name: Make last month's spreadsheets again, somewhere else
  keepwell.fleet.render:
    run: /var/lib/keepwell/acme/runs/01KARN3T5V7X9Z1B3D5F7H9K2M/run.json
    destination: /tmp/acme-october
    formats: [csv]

- name: Use our own templates where we have some
  keepwell.fleet.render:
    run: "{{ keepwell_run.run }}"
    templates:
      - "{{ inventory_dir }}/templates"
      - /etc/keepwell/templates
"""

RETURN = r"""
folder:
  description: Folder of the files.
  returned: success
  type: str
  sample: /var/lib/keepwell/acme/reports/2026-11-23-01KARN3T5V7X9Z1B3D5F7H9K2M
index:
  description: Path of the page to open first; empty when no HTML was asked for.
  returned: success
  type: str
  sample: /var/lib/keepwell/acme/reports/2026-11-23-01KARN3T5V7X9Z1B3D5F7H9K2M/engineer.html
files:
  description: All files that belong to the report, relative to RV(folder).
  returned: success
  type: list
  elements: str
  sample: [engineer.html, findings.csv, owner.html, metrics.prom, results.csv, run.json, summary.md]
changed_files:
  description: Those that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
run_id:
  description: The run's identifier.
  returned: success
  type: str
client:
  description: Identifier of the client.
  returned: success
  type: str
provisional:
  description: Whether the run does not cover everything or never ended. Such a report must not become the latest one.
  returned: success
  type: bool
msg:
  description: What was done, in one sentence.
  returned: success
  type: str
"""
