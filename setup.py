"""Adds what setup.cfg cannot say: where the example DAGs are, and a README without links into the repository."""

import re
import sys
from pathlib import Path

from setuptools import find_packages, setup

EXAMPLES = "airflow_provider_elementary.example_dags"
# PyPI shows the README alone: a picture or a page beside it would be a broken link there.
PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*")
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)")

# A build without the examples would be installed without a complaint, and list no DAG.
if not list(Path("dags").glob("elementary_*.py")):
    sys.exit("dags/ holds no example DAG. Build from a complete checkout or source distribution.")

setup(
    long_description=LINK.sub(r"\1 (`\2`)", PICTURE.sub("", Path("README.md").read_text(encoding="utf-8"))),
    long_description_content_type="text/markdown",
    # In the package, example_dags is a symbolic link to dags/, which is a text file where git makes no links.
    packages=sorted(
        {*find_packages(include=["airflow_provider_elementary", "airflow_provider_elementary.*"]), EXAMPLES}
    ),
    package_dir={EXAMPLES: "dags"},
)
