// Draws the charts of a view, in place of those that the server drew.

import { drawHealth } from "./health_chart";
import { drawLineage } from "./lineage";
import { drawMetrics } from "./metric_charts";
import { drawRun } from "./run_chart";

drawHealth();
drawMetrics();
drawRun();
drawLineage();
