// What every view has: times in Airflow's zone, copy buttons, and the forms that ask Airflow.

import { answerIncident } from "./answers";
import { testConnections } from "./connections";
import { copyButtons } from "./copy";
import { outsideLinks } from "./outside";
import { showTimes } from "./times";

// On a phone the navigation is one row that is wider than the screen.
document.querySelector("header > nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
showTimes();
outsideLinks();
copyButtons();
testConnections();
answerIncident();
