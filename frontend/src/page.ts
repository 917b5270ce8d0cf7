// What every view has: copy buttons, links out of Airflow's frame, Airflow's connection tests.

import { testConnections } from "./connections";
import { copyButtons } from "./copy";
import { outerLinks } from "./outer_links";

copyButtons();
outerLinks();
testConnections();
