"""How each warehouse is asked what a session can do: one module a warehouse, one for any with information_schema."""
