"""docs/delivery.md and docs/exports.md are true: their examples are read, their tables name what there is."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import fleet_maker
import yaml
from mail_and_hooks import http_server

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.composing import Composer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.metrics import write_delivery
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.rounds import Delivery
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.spool import Spool
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.run_metrics import run_metrics
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import search_path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "delivery.md").read_text(encoding="utf-8")
EXPORTS = (DOCS / "exports.md").read_text(encoding="utf-8")
SECRET = "whsec_" + "QUFB" * 8


def keys(page: str, begin: str) -> list[str]:
    """Names in the first column of the table that begins so."""
    rows = page.partition(begin)[2].partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_the_example_is_read() -> None:
    [text] = re.findall(r"^```yaml\n(# inventories.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    secrets = {"vault_oncall_secret": SECRET, "vault_smtp_password": "x"}
    filled = re.sub(r"{{ (\w+) }}", lambda match: secrets.get(match[1], "https://hooks.example/x"), text)
    content = yaml.safe_load(filled)
    found, problems = receivers.build(content["keepwell_notify"], content["keepwell_smtp"])
    assert problems == []
    assert {entry.channel for entry in found.receivers.values()} == set(receivers.CHANNELS)


def test_every_key_is_told() -> None:
    fields = {name for model in receivers.CHANNELS.values() for name in model.model_fields}
    assert set(keys(PAGE, "| key |")) == fields
    assert set(keys(PAGE, "| key of `keepwell_smtp`")) == {
        entry.alias or name for name, entry in receivers.Smtp.model_fields.items()
    }


def test_every_metric_is_told(tmp_path: Path) -> None:
    names = {metric.name for metric in run_metrics(fleet_maker.make_run(14), hosts=True)}
    write_delivery(tmp_path, Spool(tmp_path, "acme"), ["desk"], [])
    [path] = tmp_path.glob("*.prom")
    names |= set(re.findall(r"^# TYPE (\w+) gauge$", path.read_text(), re.MULTILINE))
    assert set(keys(EXPORTS, "| metric |")) == names
    for expression in re.findall(r"expr: (.*)", EXPORTS):
        assert set(re.findall(r"keepwell_\w+", expression)) <= names


def test_the_recipe_knows_ours_from_others(tmp_path: Path) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    recipe: dict[str, t.Any] = {}
    exec(compile(code, "docs/delivery.md", "exec"), recipe)
    check = recipe["is_from_keepwell"]
    run = fleet_maker.make_run(3)
    with http_server() as hooks:
        found, problems = receivers.build({"hook": {"channel": "webhook", "url": hooks.url, "secret": SECRET}}, None)
        assert problems == []
        delivery = Delivery(Spool(tmp_path, "demolen"), found, fleet_maker.NOW)
        delivery.promise(run, Composer(run, search_path([]), lambda: b""))
        delivery.send(10)
        [request] = hooks.requests
    headers = request.headers
    assert check(headers, request.body, SECRET)
    assert check({**headers, "webhook-signature": "v1,other " + headers["webhook-signature"]}, request.body, SECRET)
    assert not check(headers, request.body + b" ", SECRET)
    assert not check(headers, request.body, "whsec_" + "QUFC" * 8)
    assert not check({**headers, "webhook-id": "other"}, request.body, SECRET)
    assert not check({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, request.body, SECRET)
    assert not check(headers, request.body, SECRET, now=int(headers["webhook-timestamp"]) + 301)
