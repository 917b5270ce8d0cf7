// Bundles the page's script into the package, with the licences of what is in it.
import { build } from "esbuild";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "airflow_provider_elementary", "page", "static");
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: ["src/page.ts", "src/charts.ts"],
  outdir: target,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  allowOverwrite: true,
});

const folders = new Set(
  Object.keys(metafile.inputs).flatMap((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)?.slice(1) ?? []),
);
// What a package bundles itself is among its dependencies.
for (const name of [...folders]) {
  const { dependencies = {} } = JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8"));
  for (const other of Object.keys(dependencies)) folders.add(other);
}
const licences = [...folders].sort().map((name) => {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const others = existsSync(join(folder, "licenses")) ? readdirSync(join(folder, "licenses")).sort() : [];
  const texts = ["LICENSE", "LICENSE.txt", "NOTICE", ...others.map((file) => `licenses/${file}`)]
    .filter((file) => existsSync(join(folder, file)))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  return `${name} ${version} (${license})\n\n${texts.join("\n\n") || "The package ships no licence file."}\n`;
});
mkdirSync(target, { recursive: true });
writeFileSync(join(target, "licences.txt"), licences.join(`\n${"=".repeat(80)}\n\n`));
