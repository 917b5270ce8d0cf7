"""Builds the connection form that Airflow 3.1 asks the hook for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def form_widgets(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return extra fields of the provider's metadata as WTForms fields.

    Airflow 3.1 replaces both libraries by stand-ins, so neither has to be installed.
    """
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import BooleanField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    widgets = {}
    for name, field in fields.items():
        schema = field["schema"]
        options: dict[str, Any] = {"label": field["label"], "description": field["description"]}
        if "enum" in schema:
            options["validators"] = [Optional(), any_of(schema["enum"])]
        if "boolean" in schema["type"]:
            widgets[name] = BooleanField(**options)
        elif schema.get("format") == "password":
            widgets[name] = PasswordField(widget=BS3PasswordFieldWidget(), **options)
        else:
            widgets[name] = StringField(widget=BS3TextFieldWidget(), **options)
    return widgets
