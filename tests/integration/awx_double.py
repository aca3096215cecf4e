"""A double of AWX 24.6.1: an HTTP server on loopback that keeps objects in memory and refuses what AWX refuses.

Fields, types, choices and sentences are those that a real AWX 24.6.1 gave (OPTIONS of its endpoints, and its answers to
good and bad calls). It shares no code with Keepwell: what Keepwell says of a definition and what this says of it are two
opinions.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import available_timezones

from dateutil.rrule import rrulestr

TOKEN = "token-of-the-double"
API = "/api/v2/"
Row = dict[str, t.Any]


class Field(t.NamedTuple):
    """A field of an endpoint, as OPTIONS describes it."""

    kind: str
    required: bool = False
    default: t.Any = None
    choices: tuple[t.Any, ...] = ()
    least: int | None = None
    longest: int | None = None
    points_to: str = ""


def _text(required: bool = False, longest: int | None = None, default: t.Any = "") -> Field:
    return Field("string", required, default, longest=longest)


def _link(endpoint: str, required: bool = False) -> Field:
    return Field("id", required, points_to=endpoint)


NAME, DESCRIPTION = _text(True, 512), _text()
FLAG, NUMBER, SECONDS = (
    Field("boolean", default=False),
    Field("integer", default=0, least=0),
    Field("integer", default=0),
)
NULLABLE = _text(default=None)
ASKS = (
    "scm_branch", "diff_mode", "variables", "limit", "tags", "skip_tags", "job_type", "verbosity", "inventory", "credential",
    "execution_environment", "labels", "forks", "job_slice_count", "timeout", "instance_groups",
)  # fmt: skip
PROMPTS: dict[str, Field] = {
    "extra_data": Field("json", default={}),
    "inventory": _link("inventories"),
    "scm_branch": NULLABLE,
    "job_type": Field("choice", choices=(None, "", "run", "check")),
    "job_tags": NULLABLE,
    "skip_tags": NULLABLE,
    "limit": NULLABLE,
    "diff_mode": Field("boolean"),
    "verbosity": Field("choice", choices=(None, 0, 1, 2, 3, 4, 5)),
    "execution_environment": _link("execution_environments"),
    "forks": Field("integer", least=0),
    "job_slice_count": Field("integer", least=0),
    "timeout": Field("integer"),
}
ENDPOINTS: dict[str, dict[str, Field]] = {
    "organizations": {"name": NAME, "description": DESCRIPTION, "max_hosts": NUMBER, "default_environment": _link("execution_environments")},
    "execution_environments": {
        "name": NAME, "description": DESCRIPTION, "organization": _link("organizations"), "image": _text(True, 1024),
        "credential": _link("credentials"), "pull": Field("choice", default="", choices=("", "always", "missing", "never")),
    },
    "credentials": {"name": NAME, "description": DESCRIPTION, "organization": _link("organizations")},
    "instance_groups": {"name": NAME},
    "projects": {
        "name": NAME, "description": DESCRIPTION, "organization": _link("organizations"), "local_path": _text(longest=1024),
        "scm_type": Field("choice", default="", choices=("", "git", "svn", "insights", "archive")),
        "scm_url": _text(longest=1024), "scm_branch": _text(longest=256), "scm_refspec": _text(longest=1024),
        "scm_clean": FLAG, "scm_track_submodules": FLAG, "scm_delete_on_update": FLAG, "credential": _link("credentials"),
        "timeout": SECONDS, "scm_update_on_launch": FLAG, "scm_update_cache_timeout": NUMBER, "allow_override": FLAG,
        "default_environment": _link("execution_environments"),
    },
    "inventories": {
        "name": NAME, "description": DESCRIPTION, "organization": _link("organizations", True),
        "kind": Field("choice", default="", choices=("", "smart", "constructed")), "host_filter": NULLABLE, "variables": _text(),
        "prevent_instance_group_fallback": FLAG,
    },
    "inventory_sources": {
        "name": NAME, "description": DESCRIPTION, "inventory": _link("inventories", True),
        "source": Field("choice", choices=("file", "constructed", "scm", "ec2", "gce", "azure_rm", "vmware", "controller", "insights")),
        "source_path": _text(longest=1024), "source_vars": _text(), "scm_branch": _text(), "credential": _link("credentials"),
        "overwrite": FLAG, "overwrite_vars": FLAG, "timeout": SECONDS, "verbosity": Field("choice", default=1, choices=(0, 1, 2)),
        "limit": _text(), "execution_environment": _link("execution_environments"), "update_on_launch": FLAG,
        "update_cache_timeout": NUMBER, "source_project": _link("projects"),
    },
    "notification_templates": {
        "name": NAME, "description": DESCRIPTION, "organization": _link("organizations", True),
        "notification_type": Field("choice", True, choices=("awssns", "email", "grafana", "irc", "mattermost", "pagerduty", "rocketchat", "slack", "twilio", "webhook")),
        "notification_configuration": Field("json", default={}), "messages": Field("json"),
    },
    "job_templates": {
        "name": NAME, "description": DESCRIPTION, "job_type": Field("choice", default="run", choices=("run", "check")),
        "inventory": _link("inventories"), "project": _link("projects"), "organization": _link("organizations"),
        "playbook": _text(longest=1024), "scm_branch": _text(longest=1024), "forks": NUMBER, "limit": _text(),
        "verbosity": Field("choice", default=0, choices=(0, 1, 2, 3, 4, 5)), "extra_vars": _text(), "job_tags": _text(),
        "force_handlers": FLAG, "skip_tags": _text(), "start_at_task": _text(), "timeout": SECONDS, "use_fact_cache": FLAG,
        "execution_environment": _link("execution_environments"), "survey_enabled": FLAG, "become_enabled": FLAG, "diff_mode": FLAG,
        "allow_simultaneous": FLAG, "job_slice_count": Field("integer", default=1, least=0),
        **{f"ask_{name}_on_launch": FLAG for name in ASKS},
    },
    "workflow_job_templates": {
        "name": NAME, "description": DESCRIPTION, "extra_vars": _text(), "organization": _link("organizations"), "survey_enabled": FLAG,
        "allow_simultaneous": FLAG, "inventory": _link("inventories"), "limit": NULLABLE, "scm_branch": NULLABLE,
        **{f"ask_{name}_on_launch": FLAG for name in ("variables", "inventory", "scm_branch", "limit", "labels", "skip_tags", "tags")},
    },
    "workflow_job_template_nodes": {
        **PROMPTS, "workflow_job_template": _link("workflow_job_templates", True), "unified_job_template": _link("unified_job_templates"),
        "all_parents_must_converge": FLAG, "identifier": _text(longest=512),
    },
    "workflow_approval_templates": {"name": NAME, "description": DESCRIPTION, "timeout": SECONDS, "organization": _link("organizations")},
    "schedules": {
        "rrule": _text(True), "name": NAME, "description": DESCRIPTION, **PROMPTS,
        "unified_job_template": _link("unified_job_templates", True), "enabled": Field("boolean", default=True),
    },
}  # fmt: skip
STARTED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")
SINGULAR = {"inventories": "inventory", **{name: name.removesuffix("s") for name in ENDPOINTS if name != "inventories"}}
UNIQUE = {
    "organizations": (("name",), "Organization with this Name already exists."),
    "execution_environments": (("name",), "Execution environment with this Name already exists."),
    "projects": (("name", "organization"), "Project with this (name, organization) combination already exists."),
    "inventories": (("name", "organization"), "Inventory with this Name and Organization already exists."),
    "inventory_sources": (("name", "inventory"), "Inventory source with this (name, inventory) combination already exists."),
    "notification_templates": (("name", "organization"), "Notification template with this Organization and Name already exists."),
    "job_templates": (("name", "organization"), "JobTemplate with this (name, organization) combination already exists."),
    "workflow_job_templates": (("name", "organization"), "WorkflowJobTemplate with this (name, organization) combination already exists."),
    "workflow_job_template_nodes": (("identifier", "workflow_job_template"), "Workflow job template node with this Workflow job template and Identifier already exists."),
    "schedules": (("name", "unified_job_template"), "Schedule with this Unified job template and Name already exists."),
}  # fmt: skip
ASSOCIATIONS = {
    "notification_templates_started": "notification_templates",
    "notification_templates_success": "notification_templates",
    "notification_templates_error": "notification_templates",
    "credentials": "credentials",
    "instance_groups": "instance_groups",
    "success_nodes": "workflow_job_template_nodes",
    "always_nodes": "workflow_job_template_nodes",
    "failure_nodes": "workflow_job_template_nodes",
}
LINKS = ("success_nodes", "always_nodes", "failure_nodes")


class RefusedError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, body: t.Any) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


@dataclass
class Awx:
    """What the double knows. ``calls`` are those that could have changed something: method, path, body, status."""

    playbooks: list[str]
    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: {name: {} for name in ENDPOINTS})
    linked: dict[tuple[str, int, str], list[int]] = field(default_factory=dict)
    surveys: dict[tuple[str, int], t.Any] = field(default_factory=dict)
    calls: list[tuple[str, str, t.Any, int]] = field(default_factory=list)
    address: str = ""
    last_id: int = 0

    def add(self, endpoint: str, **values: t.Any) -> int:
        """Put an object there, as somebody did by hand; return its id."""
        return int(self.create(endpoint, values)["id"])

    def names(self, endpoint: str) -> list[str]:
        return sorted(str(row.get("name") or row.get("identifier")) for row in self.rows[endpoint].values())

    def one(self, endpoint: str, name: str) -> Row:
        [found] = [row for row in self.rows[endpoint].values() if name in (row.get("name"), row.get("identifier"))]
        return found

    # --- what a request does

    def answer(self, method: str, path: str, query: list[tuple[str, str]], body: t.Any) -> tuple[int, t.Any]:
        match [part for part in path.removeprefix(API).split("/") if part]:
            case ["unified_job_templates"] if method == "GET":
                return 200, self.page(
                    [self.shown(name, row) for name in STARTED for row in self.rows[name].values()], query
                )
            case ["project_updates", _number] if method == "GET":
                return 200, {"id": 1, "status": "successful", "finished": "now", "failed": False}
            case [endpoint] if endpoint in ENDPOINTS:
                if method == "GET":
                    return 200, self.page([self.shown(endpoint, row) for row in self.rows[endpoint].values()], query)
                return 201, self.create(endpoint, body)
            case [endpoint, number] if int(number) in self.rows.get(endpoint, {}):
                return self.detail(method, endpoint, int(number), body)
            case [("job_templates" | "workflow_job_templates") as endpoint, number, "survey_spec"]:
                return self.survey(method, endpoint, int(number), body)
            case ["workflow_job_template_nodes", number, "create_approval_template"]:
                made = self.create("workflow_approval_templates", body)
                self.rows["workflow_job_template_nodes"][int(number)]["unified_job_template"] = made["id"]
                return 201, made
            case [endpoint, number, link] if link in ASSOCIATIONS and self.has_link(endpoint, link):
                return self.link(method, endpoint, int(number), link, body)
        raise RefusedError(404, {"detail": "Not found."})

    @staticmethod
    def has_link(endpoint: str, link: str) -> bool:
        if link in LINKS:
            return endpoint == "workflow_job_template_nodes"
        return endpoint in ENDPOINTS and endpoint != "workflow_approval_templates"

    def page(self, rows: list[Row], query: list[tuple[str, str]]) -> Row:
        """Return the rows that a query asks for; 25 are a page."""
        size, number = 25, 1
        either: list[tuple[str, str]] = []
        for key, value in query:
            if key == "page":
                number = int(value)
            elif key.startswith("or__"):
                either.append((key.removeprefix("or__"), value))
            else:
                rows = [row for row in rows if self.matches(row, key, value)]
        if either:
            rows = [row for row in rows if any(self.matches(row, key, value) for key, value in either)]
        some = rows[(number - 1) * size : number * size]
        following = f"{API}?page={number + 1}" if number * size < len(rows) else None
        return {"count": len(rows), "next": following, "previous": None, "results": some}

    @staticmethod
    def matches(row: Row, key: str, value: str) -> bool:
        name, _, how = key.partition("__")
        if name not in row:
            raise RefusedError(
                400, {"detail": f"{SINGULAR.get(str(row.get('type')), 'Object')} has no field named '{name}'"}
            )
        found = "" if row[name] is None else str(row[name])
        return found.startswith(value) if how == "startswith" else found == value

    def shown(self, endpoint: str, row: Row) -> Row:
        """Return an object as the API shows it."""
        url = f"{API}{endpoint}/{row['id']}/"
        links = {name: spec.points_to for name, spec in ENDPOINTS[endpoint].items() if spec.kind == "id"}
        summaries = {
            name: {"id": row[name], "name": target["name"]}
            for name, points_to in links.items()
            if row.get(name) and (target := self.find(points_to, row[name]))
        }
        related = {"survey_spec": f"{url}survey_spec/", "update": f"{url}update/"}
        if endpoint == "projects":
            summaries["current_update"] = {"id": 1}
        if row.get("unified_job_template"):
            kind = next(name for name in STARTED if row["unified_job_template"] in self.rows[name])
            related["unified_job_template"] = f"{API}{kind}/{row['unified_job_template']}/"
        return {**row, "type": SINGULAR[endpoint], "url": url, "related": related, "summary_fields": summaries}

    def find(self, endpoint: str, number: int) -> Row | None:
        tables = STARTED if endpoint == "unified_job_templates" else (endpoint,)
        return next((self.rows[name][number] for name in tables if number in self.rows[name]), None)

    def create(self, endpoint: str, body: Row) -> Row:
        fields = ENDPOINTS[endpoint]
        errors = {
            name: ["This field is required."] for name, spec in fields.items() if spec.required and name not in body
        }
        row = {name: spec.default for name, spec in fields.items()} | self.checked(endpoint, body, errors)
        self.last_id += 1
        row["id"] = self.last_id
        if endpoint == "projects":
            row |= {"scm_revision": "0" * 40, "status": "successful"}
        if endpoint == "inventory_sources":
            row["organization"] = self.rows["inventories"][row["inventory"]]["organization"]
        self.whole(endpoint, row)
        self.rows[endpoint][self.last_id] = row
        return self.shown(endpoint, row)

    def detail(self, method: str, endpoint: str, number: int, body: t.Any) -> tuple[int, t.Any]:
        row = self.rows[endpoint][number]
        if method == "PATCH":
            changed = row | self.checked(endpoint, body, {})
            self.whole(endpoint, changed)
            self.rows[endpoint][number] = changed
        elif method == "DELETE":
            self.remove(endpoint, number)
            return 204, None
        return 200, self.shown(endpoint, self.rows[endpoint][number])

    def remove(self, endpoint: str, number: int) -> None:
        """Take an object away, and what cannot be without it."""
        gone = self.rows[endpoint].pop(number)
        # An approval belongs to its node.
        self.rows["workflow_approval_templates"].pop(gone.get("unified_job_template") or 0, None)
        for other, fields in ENDPOINTS.items():
            for name, spec in fields.items():
                if spec.kind == "id" and (
                    spec.points_to == endpoint or (spec.points_to == "unified_job_templates" and endpoint in STARTED)
                ):
                    for key, row in list(self.rows[other].items()):
                        if row.get(name) == number and spec.required:
                            self.remove(other, key)
                        elif row.get(name) == number:
                            row[name] = None
        for linked in self.linked.values():
            if endpoint in ASSOCIATIONS.values() and number in linked:
                linked.remove(number)

    # --- what is refused

    def checked(self, endpoint: str, body: Row, errors: dict[str, list[str]]) -> Row:
        """Return the known fields of a body; unknown ones are passed over in silence, as AWX does."""
        kept = {}
        for name, spec in ENDPOINTS[endpoint].items():
            if name in body:
                problem = self.wrong(spec, body[name])
                if problem:
                    errors[name] = [problem]
                kept[name] = body[name]
        if errors:
            raise RefusedError(400, errors)
        return kept

    def wrong(self, spec: Field, value: t.Any) -> str:
        if value is None:
            nullable = spec.default is None and spec.kind != "choice" and not spec.required
            return "" if nullable or None in spec.choices else "This field may not be null."
        if spec.kind == "choice":
            known = {str(choice) for choice in spec.choices}
            return "" if str(value) in known else f'"{value}" is not a valid choice.'
        if spec.kind == "id":
            if not isinstance(value, int):
                return f"Incorrect type. Expected pk value, received {type(value).__name__}."
            return "" if self.find(spec.points_to, value) else f'Invalid pk "{value}" - object does not exist.'
        if spec.kind == "integer":
            if not isinstance(value, int) or isinstance(value, bool):
                return "A valid integer is required."
            below = spec.least is not None and value < spec.least
            return f"Ensure this value is greater than or equal to {spec.least}." if below else ""
        if spec.kind == "boolean":
            return "" if isinstance(value, bool) else "Must be a valid boolean."
        if spec.kind == "json":
            return "" if isinstance(value, dict) else f"Value {value!r} is not a dictionary"
        if not isinstance(value, str):
            return "Not a valid string."
        if spec.required and not value:
            return "This field may not be blank."
        return (
            f"Ensure this field has no more than {spec.longest} characters."
            if spec.longest and len(value) > spec.longest
            else ""
        )

    def whole(self, endpoint: str, row: Row) -> None:
        """Refuse an object that is wrong as a whole."""
        fields, sentence = UNIQUE.get(endpoint, ((), ""))
        key = tuple(row.get(name) for name in fields)
        for other in self.rows[endpoint].values():
            if fields and other["id"] != row["id"] and tuple(other.get(name) for name in fields) == key:
                raise RefusedError(400, {"__all__": [sentence]})
        errors: dict[str, list[str]] = {}
        if endpoint == "execution_environments" and not re.fullmatch(r"[\w./:@-]+", row["image"]):
            errors["image"] = [f"The container image name {row['image']} is not valid"]
        if (
            endpoint == "projects"
            and row["scm_type"] == "git"
            and not re.match(r"(https?|ssh|git|file)://|\w+@", row["scm_url"])
        ):
            errors["scm_url"] = ["Unsupported git URL"]
        if endpoint == "notification_templates":
            lacking = [name for name in ("url", "headers") if name not in row["notification_configuration"]]
            if row["notification_type"] == "webhook" and lacking:
                errors["__all__"] = [f"Missing required fields for Notification Configuration: {lacking}."]
        if endpoint == "job_templates":
            self.whole_template(row, errors)
        if endpoint == "schedules":
            rule = rrule_errors(row["rrule"])
            if rule:
                errors["rrule"] = rule
            else:
                errors |= self.prompt_errors(row, True)
                row["next_run"] = None
        if endpoint == "workflow_job_template_nodes" and row.get("unified_job_template"):
            errors |= self.prompt_errors(row, False)
        if errors:
            raise RefusedError(400, errors)

    def whole_template(self, row: Row, errors: dict[str, list[str]]) -> None:
        if not row.get("inventory") and not row["ask_inventory_on_launch"]:
            errors["inventory"] = ["You must either set a default value or ask to prompt on launch."]
        project = self.rows["projects"].get(row.get("project") or 0)
        if project is None:
            errors["project"] = ["This field is required."]
        elif not row["playbook"]:
            errors["playbook"] = ["Must select playbook for project."]
        elif not project["allow_override"] and row["playbook"] not in self.playbooks:
            errors["playbook"] = ["Playbook not found for project."]

    def prompt_errors(self, row: Row, required: bool) -> dict[str, list[str]]:
        """Return what of a schedule or a node its template does not ask for, and answers that its survey refuses."""
        endpoint = next(name for name in STARTED if row["unified_job_template"] in self.rows[name])
        template = self.rows[endpoint][row["unified_job_template"]]
        renamed = {"job_tags": "tags", "extra_data": ""}
        errors = {
            name: ["Field is not configured to prompt on launch."]
            for name in PROMPTS
            if name != "extra_data"
            and row.get(name) not in (None, "")
            and not template.get(f"ask_{renamed.get(name, name)}_on_launch")
        }
        spec = (
            self.surveys.get((endpoint, template["id"]), {}).get("spec", []) if template.get("survey_enabled") else []
        )
        problems = []
        for question in spec:
            name = question["variable"]
            if name not in row["extra_data"]:
                if question["required"] and question.get("default") in (None, "") and required:
                    problems.append(f"'{name}' value missing")
            else:
                problems += answer_errors(question, row["extra_data"][name])
        if problems:
            errors["variables_needed_to_start"] = problems
        unasked = set(row["extra_data"]) - {question["variable"] for question in spec}
        if unasked and not template.get("ask_variables_on_launch"):
            errors["extra_data"] = [
                f"Variables {', '.join(sorted(unasked))} are not allowed on launch. Check the Prompt on Launch setting."
            ]
        return errors

    def survey(self, method: str, endpoint: str, number: int, body: t.Any) -> tuple[int, t.Any]:
        if method == "GET":
            return 200, self.surveys.get((endpoint, number), {})
        if method == "DELETE":
            self.surveys.pop((endpoint, number), None)
            return 200, None
        problem = survey_error(body)
        if problem:
            raise RefusedError(400, {"error": problem})
        self.surveys[endpoint, number] = body
        return 200, None

    def link(self, method: str, endpoint: str, number: int, link: str, body: t.Any) -> tuple[int, t.Any]:
        target, linked = ASSOCIATIONS[link], self.linked.setdefault((endpoint, number, link), [])
        if method == "GET":
            return 200, self.page([self.shown(target, self.rows[target][found]) for found in linked], [])
        if body["id"] not in self.rows[target]:
            raise RefusedError(400, {"msg": f"{target} {body['id']} not found"})
        if body.get("disassociate"):
            linked.remove(body["id"])
        else:
            if link in LINKS and number in self.after(body["id"]):
                raise RefusedError(400, {"Error": "Cycle detected."})
            linked.append(body["id"])
        return 204, None

    def after(self, node: int) -> set[int]:
        """Return a node and all that follow it."""
        found, left = set(), [node]
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += [
                    other for link in LINKS for other in self.linked.get(("workflow_job_template_nodes", one, link), ())
                ]
        return found


def answer_errors(question: Row, value: t.Any) -> list[str]:
    name, kind = question["variable"], question["type"]
    if kind == "multiplechoice" and value not in question["choices"]:
        return [f"Value {value} for '{name}' expected to be one of {question['choices']}."]
    if kind == "integer" and not isinstance(value, int):
        return [f"Value {value} for '{name}' expected to be an integer."]
    if kind == "integer" and question.get("max") is not None and value > question["max"]:
        return [f"'{name}' value {value} is too large (must be no more than {question['max']})."]
    if kind == "text" and not isinstance(value, str):
        return [f"Value {value} for '{name}' expected to be a string."]
    if kind == "text" and question.get("min") is not None and len(value) < question["min"]:
        return [f"'{name}' value {value} is too small (length is {len(value)} must be at least {question['min']})."]
    return []


def survey_error(body: t.Any) -> str:
    """Return the sentence with which AWX refuses a survey, "" when it takes it."""
    for key in ("name", "description", "spec"):
        if key not in body:
            return f"'{key}' missing from survey spec."
    if not body["spec"]:
        return "'spec' doesn't contain any items."
    known = set()
    kinds = ("text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float")
    for number, question in enumerate(body["spec"]):
        for key in ("type", "question_name", "variable", "required"):
            if key not in question:
                return f"'{key}' missing from survey question {number}"
        if question["type"] not in kinds:
            return f"'{question['type']}' in survey question {number} is not one of '{', '.join(kinds)}' allowed question types."
        if question["variable"] in known:
            return f"'variable' '{question['variable']}' duplicated in survey question {number}."
        known.add(question["variable"])
        default = question.get("default")
        if question["type"] in ("multiplechoice", "multiselect"):
            if not question.get("choices"):
                return f"Survey question {number} of type {question['type']} must specify choices."
            if default and default not in question["choices"]:
                return "Default choice must be answered from the choices listed."
        if default not in (None, "") and question["type"] == "integer" and not isinstance(default, int):
            return f"Default value {default} in survey question {number} expected to be integer."
    return ""


def rrule_errors(rule: str) -> list[str]:
    """Return the sentences with which AWX refuses a recurrence rule."""
    errors = []
    starts = re.findall(r".*?(DTSTART.*?:[0-9]+T[0-9]+Z?)", rule)
    if not starts:
        errors.append("Valid DTSTART required in rrule. Value should start with: DTSTART:YYYYMMDDTHHMMSSZ")
    if re.search(r"DTSTART:[0-9]+T[0-9]+ ", rule):
        errors.append("DTSTART cannot be a naive datetime.  Specify ;TZINFO= or YYYYMMDDTHHMMSSZZ.")
    if len(starts) > 1:
        errors.append("Multiple DTSTART is not supported.")
    if "rrule:" not in rule.lower():
        errors.append("One or more rule required in rrule.")
    if "exdate" in rule.lower():
        errors.append("EXDATE not allowed in rrule.")
    for part in re.findall(r"(RULE:[^\s]*)", rule):
        if "interval" not in part.lower():
            errors.append(f"INTERVAL required in rrule: {part}")
        if "secondly" in part.lower():
            errors.append(f"SECONDLY is not supported: {part}")
        if re.search(r"BYDAY=([^;]*,)?[0-9]+[A-Z]", part):
            errors.append(f"BYDAY with numeric prefix not supported: {part}")
        if "COUNT" in part and "UNTIL" in part:
            errors.append(f"RRULE may not contain both COUNT and UNTIL: {part}")
        count = re.search(r"COUNT=([0-9]+)", part)
        if count and int(count[1]) > 999:
            errors.append(f"COUNT > 999 is unsupported: {part}")
    zone = re.search(r"DTSTART;TZID=([^:]+):", rule)
    if (
        (starts and not zone and not starts[0].endswith("Z"))
        or (zone and zone[1] not in available_timezones())
        or not starts
    ):
        errors.append("rrule parsing failed validation: A valid TZID must be provided (e.g., America/New_York)")
    elif not errors:
        try:
            rrulestr("\n".join(re.sub(r"(UNTIL=\d{8}T\d{6})(?!Z)\b", r"\1Z", rule).split()), forceset=True)
        except ValueError as exc:
            errors.append(f"rrule parsing failed validation: {exc}")
    return errors


@contextlib.contextmanager
def serving(awx: Awx) -> Iterator[Awx]:
    """Serve on a free port of loopback; ``address`` is for CONTROLLER_HOST."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            parts = urlsplit(self.path)
            status, answer = 401, {"detail": "Authentication credentials were not provided."}
            body = json.loads(text) if text else {}
            if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                with lock:
                    try:
                        status, answer = awx.answer(self.command, parts.path, parse_qsl(parts.query), body)
                    except RefusedError as exc:
                        status, answer = exc.status, exc.body
                    if self.command != "GET":
                        awx.calls.append((self.command, parts.path, body, status))
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer

        def log_message(self, *_arguments: t.Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    awx.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield awx
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
