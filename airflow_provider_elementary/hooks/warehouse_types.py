"""Makes one hook class for each warehouse's connection type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.warehouses.registry import CONNECTABLE

if TYPE_CHECKING:
    from airflow_provider_elementary.warehouses.kind import WarehouseKind


#: Airflow 3.1 asks a class for these only where it defines them itself.
_FORM_METHODS = ("get_connection_form_widgets", "get_ui_field_behaviour")


def _hook_class(kind: WarehouseKind) -> type[ElementaryHook]:
    facts = {
        "__doc__": f"Reads the Elementary schema of {kind.label}; see :class:`ElementaryHook`.",
        "__module__": __name__,
        "conn_type": kind.connection_type,
        "hook_name": kind.hook_name,
        **{name: ElementaryHook.__dict__[name] for name in _FORM_METHODS},
    }
    return type(kind.hook_class, (ElementaryHook,), facts)


# Airflow imports each by its name, as in ElementarySnowflakeHook.
globals().update({kind.hook_class: _hook_class(kind) for kind in CONNECTABLE})
