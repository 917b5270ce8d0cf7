"""Configures Sphinx, without a fetch at build or reading time."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from airflow_provider_elementary import __version__

# Airflow reads these when autodoc first imports it; the build leaves nothing in the user's home.
AIRFLOW_HOME = tempfile.mkdtemp(prefix="airflow-docs-")
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=AIRFLOW_HOME,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    # The width of the commands' --help.
    COLUMNS="100",
)
sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "airflow-provider-elementary"
author = "the authors of airflow-provider-elementary"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "facts"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "show-inheritance": True, "member-order": "bysource"}
autodoc_typehints = "none"
add_module_names = False
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"airflow-provider-elementary {release}"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
