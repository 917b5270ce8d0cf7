// What every view has: copy buttons, links out of Airflow's frame, Airflow's connection tests.

import { testConnections } from "./connections";
import { copyButtons } from "./copy";

// On a phone the navigation is one row that is wider than the screen.
document.querySelector("header > nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
copyButtons();
testConnections();
