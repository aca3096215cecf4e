"""Arguments of a module, checked by its own ``$spec`` as Ansible.Basic.cs does it, with its sentences."""

from __future__ import annotations

import json
import typing as t

from windows_host.spec import Opaque

_TRUE, _FALSE = {"y", "yes", "on", "1", "true", "t"}, {"n", "no", "off", "0", "false", "f"}


class Refused(Exception):
    """The sentence with which the real module would fail."""


def check(name: str, spec: dict[str, t.Any], given: dict[str, t.Any], closed: bool = True) -> dict[str, t.Any]:
    """Return the parameters as the module sees them: converted, with defaults. ``closed``: unknown options are refused."""
    return _options(name, spec, given, closed, "")


def _options(name: str, spec: dict[str, t.Any], given: dict[str, t.Any], closed: bool, within: str) -> dict[str, t.Any]:
    options: dict[str, dict[str, t.Any]] = spec.get("options", {}) or {}
    names = {option.lower(): option for option in options}
    for option, told in options.items():
        names.update({str(alias).lower(): option for alias in _list(told.get("aliases"))})
    found = within and f" found in {within}"
    unknown = sorted(option for option in given if option.lower() not in names)
    if unknown and closed:
        raise Refused(
            f"Unsupported parameters for ({name}) module: {', '.join(unknown)}{found}. "
            f"Supported parameters include: {', '.join(sorted(options))}"
        )
    parameters: dict[str, t.Any] = {option: value for option, value in given.items() if option.lower() not in names}
    for option, value in given.items():
        if option.lower() in names:
            parameters[names[option.lower()]] = value
    _together(spec, parameters, found)
    for option, told in options.items():
        value = parameters.get(option)
        if value is None:
            value = told.get("default")
        parameters[option] = value if value is None else _converted(name, option, told, value, within)
    missing = sorted(option for option, told in options.items() if told.get("required") and parameters[option] is None)
    if missing:
        raise Refused(f"missing required arguments: {', '.join(missing)}{found}")
    _conditions(spec, parameters, found)
    return parameters


def _together(spec: dict[str, t.Any], given: dict[str, t.Any], found: str) -> None:
    def some(names: list[t.Any]) -> list[str]:
        return [str(option) for option in names if given.get(str(option)) is not None]

    for names in _list(spec.get("mutually_exclusive")):
        if len(some(_list(names))) > 1:
            raise Refused(f"parameters are mutually exclusive: {', '.join(map(str, names))}{found}")
    for names in _list(spec.get("required_together")):
        if some(_list(names)) and len(some(_list(names))) < len(names):
            raise Refused(f"parameters are required together: {', '.join(map(str, names))}{found}")
    for names in _list(spec.get("required_one_of")):
        if not some(_list(names)):
            raise Refused(f"one of the following is required: {', '.join(map(str, names))}{found}")


def _conditions(spec: dict[str, t.Any], parameters: dict[str, t.Any], found: str) -> None:
    for rule in _list(spec.get("required_if")):
        option, value, needed, *any_of = rule
        if parameters.get(option) != value:
            continue
        missing = [str(other) for other in _list(needed) if parameters.get(str(other)) is None]
        if missing and (not any_of or not any_of[0] or len(missing) == len(needed)):
            which = "any" if any_of and any_of[0] else "all"
            raise Refused(f"{option} is {value} but {which} of the following are missing: {', '.join(missing)}{found}")
    for option, needed in (spec.get("required_by") or {}).items():
        if parameters.get(option) is not None:
            missing = [str(other) for other in _list(needed) if parameters.get(str(other)) is None]
            if missing:
                raise Refused(f"missing parameter(s) required by '{option}': {', '.join(missing)}{found}")


def _converted(name: str, option: str, told: dict[str, t.Any], value: t.Any, within: str) -> t.Any:
    kind = told.get("type", "str")
    try:
        converted = _as(kind, value)
        if kind == "list" and told.get("elements"):
            converted = [_as(told["elements"], item) for item in converted]
    except (ValueError, TypeError) as exc:
        raise Refused(
            f"argument for {option} is of type {type(value).__name__} and we were unable to convert to {kind}: {exc}"
            + (f" found in {within}" if within else "")
        ) from exc
    choices = _list(told.get("choices"))
    for item in converted if isinstance(converted, list) else [converted]:
        if choices and item not in choices and str(item).lower() not in [str(choice).lower() for choice in choices]:
            raise Refused(
                f"value of {option} must be one of: {', '.join(map(str, choices))}. Got no match for: {item}"
                + (f" found in {within}" if within else "")
            )
    if told.get("options"):
        place = f"{within} -> {option}" if within else option
        if isinstance(converted, list):
            return [_options(name, told, item, True, place) for item in converted]
        return _options(name, told, converted, True, place)
    return converted


def _as(kind: str, value: t.Any) -> t.Any:
    if isinstance(kind, Opaque):
        return value
    if kind == "bool":
        text = str(value).lower()
        if text not in _TRUE | _FALSE:
            raise ValueError(f"The value '{value}' is not a valid boolean")
        return text in _TRUE
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "list":
        return value if isinstance(value, list) else str(value).split(",") if isinstance(value, str) else [value]
    if kind == "dict":
        made = json.loads(value) if isinstance(value, str) else value
        if not isinstance(made, dict):
            raise TypeError("it is no dictionary")
        return made
    if kind in ("str", "path"):
        return value if isinstance(value, str) else str(value)
    return value


def _list(value: t.Any) -> list[t.Any]:
    if value is None or isinstance(value, Opaque):
        return []
    return value if isinstance(value, list) else [value]
