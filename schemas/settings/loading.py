"""Reading the settings, with a line of advice for each thing that is wrong."""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings.exceptions import SettingsError as UnreadableSource

from schemas.errors import SettingsError
from schemas.settings.all import CONFIG_VARIABLE, DEFAULT_FILE, Settings


def load_settings(path: Path | None = None) -> Settings:
    """The settings in force. Raises SettingsError, with one line for each thing that is wrong."""
    if path is not None:
        os.environ[CONFIG_VARIABLE] = str(path)  # children of this process read the same file
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        msg = f"settings file not found: {named}; name one that exists, or unset {CONFIG_VARIABLE}"
        raise SettingsError(msg)
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        msg = f"{named or DEFAULT_FILE} is not TOML: {error}"
        raise SettingsError(msg) from error
    except UnreadableSource as error:
        # pydantic-settings names the field in its text only.
        name = str(error).partition('field "')[2].partition('"')[0]
        msg = (
            f"setting {name}: a whole section in one variable is JSON; it could not be read; "
            f"set its fields one by one, as PENSTOCK_{name.upper()}__NAME"
        )
        raise SettingsError(msg) from error
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(detail) for detail in error.errors())) from error


def _explain(detail: Any) -> str:
    """One line of a validation error; an unknown key gets the closest known one."""
    path = [str(part) for part in detail["loc"]]
    name = ".".join(path)
    section, rest = _section_of(path)
    if detail["type"] != "extra_forbidden":
        shown = _shown(section.model_fields.get(rest[0]), detail["input"])
        return f"setting {name}: {detail['msg']}; got {shown}"
    known = list(section.model_fields)
    close = difflib.get_close_matches(rest[0], known, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
    return f"setting {name} is unknown; {advice}"


def _section_of(path: list[str]) -> tuple[type[BaseModel], list[str]]:
    """The section that a path leads into, and what of the path is within it."""
    section: type[BaseModel] = Settings
    while len(path) > 1:
        inner = getattr(section.model_fields.get(path[0]), "annotation", None)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        section, path = inner, path[1:]
    return section, path


def _shown(field: FieldInfo | None, value: Any) -> str:
    """The value that broke a rule, unless it is, or may hold, a secret."""
    kinds = () if field is None else (field.annotation, *get_args(field.annotation))
    secret = SecretStr in kinds or isinstance(value, dict | list)
    return f"a {type(value).__name__}" if secret else repr(value)
