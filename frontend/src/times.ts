// Writes times in the time zone that the person chose in Airflow; the server writes them in UTC.

import { all } from "./dom";

/** Airflow keeps the choice of its menu under this name; without one it shows the browser's zone. */
const CHOICE = "timezone";

/** Write each time of the view in Airflow's zone, with the zone's name; the time in UTC stays in its title. */
export function showTimes(): void {
  const written = format(chosenZone());
  for (const place of all<HTMLTimeElement>("time.moment")) {
    const when = new Date(place.dateTime);
    if (Number.isNaN(when.getTime())) continue;
    const utc = place.textContent ?? "";
    place.textContent = written(when);
    if (place.textContent !== utc) place.title = utc;
  }
}

function chosenZone(): string | undefined {
  try {
    const kept = localStorage.getItem(CHOICE);
    if (!kept) return undefined;
    const zone: unknown = JSON.parse(kept.startsWith('"') ? kept : JSON.stringify(kept));
    // Throws where the browser does not know the zone.
    return new Intl.DateTimeFormat("en", { timeZone: String(zone) }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

function format(zone: string | undefined): (when: Date) => string {
  const parts = new Intl.DateTimeFormat("en-GB", {
    ...(zone ? { timeZone: zone } : {}),
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "short",
  });
  return (when) => {
    const held = Object.fromEntries(parts.formatToParts(when).map(({ type, value }) => [type, value]));
    return `${held["year"]}-${held["month"]}-${held["day"]} ${held["hour"]}:${held["minute"]} ${held["timeZoneName"]}`;
  };
}
