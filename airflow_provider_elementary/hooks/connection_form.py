"""Builds the connection form for Airflow 3.1, which asks the hook for it."""

from __future__ import annotations

from typing import Any

from airflow_provider_elementary.get_provider_info import CONNECTION_FIELDS


def form_widgets() -> dict[str, Any]:
    """Return the extra fields of the provider's metadata as WTForms fields.

    Airflow 3.1 puts stand-ins in the place of both libraries, so neither has to be installed.
    """
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import BooleanField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    widgets = {}
    for name, field in CONNECTION_FIELDS.items():
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
