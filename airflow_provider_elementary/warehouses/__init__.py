"""How each warehouse is read: one file per warehouse, all behind :class:`WarehouseSource`."""
