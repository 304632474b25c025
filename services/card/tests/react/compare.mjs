// Compiles exported components, checks their types, renders them with React and compares the elements with the HTML.
//
// Usage: node compare.mjs CASES.json, an array of { name, component, tsx, parameters, fragment }.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { build } from "esbuild";
import { parseFragment } from "parse5";
import { createElement, version } from "react";
import { renderToStaticMarkup } from "react-dom/server";

const cases = JSON.parse(readFileSync(process.argv[2], "utf8"));
const folder = path.resolve(path.dirname(process.argv[2]), "components");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
const sources = cases.map((each, index) => {
  const file = path.join(folder, `case${index}.tsx`);
  // The values have to be props of the declared type, not only of some type.
  const use = `\nexport const sample = <${each.component} {...${JSON.stringify(each.parameters)}} />;\n`;
  writeFileSync(file, each.tsx + use);
  return file;
});

const tsc = createRequire(import.meta.url).resolve("typescript/package.json").replace("package.json", "bin/tsc");
const options = ["--strict", "--noEmit", "--jsx", "react-jsx", "--target", "es2022", "--module", "esnext"];
const more = ["--moduleResolution", "bundler", "--skipLibCheck", "--noUnusedLocals", "--types", "react"];
try {
  execFileSync(process.execPath, [tsc, ...options, ...more, ...sources], { cwd: import.meta.dirname, stdio: "pipe" });
} catch (error) {
  console.error(`types: ${error.stdout}${error.stderr}`);
  process.exit(1);
}

await build({
  entryPoints: sources,
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  external: ["react", "react/jsx-runtime"],
  format: "esm",
  jsx: "automatic",
  platform: "node",
  logLevel: "error",
});

// What a page holds: elements with their attributes in any order, and text.
function shape(node) {
  if (node.nodeName === "#text") return node.value;
  const attributes = (node.attrs ?? []).map(({ name, value }) => [name, value]).sort();
  const children = (node.childNodes ?? [])
    // React asks the browser to load pictures early; that is no part of the card.
    .filter((child) => !(child.nodeName === "link" && child.attrs.some(({ value }) => value === "preload")))
    .map(shape);
  return { element: node.nodeName, attributes, children };
}

let failures = 0;
for (const [index, each] of cases.entries()) {
  const module = await import(pathToFileURL(sources[index].replace(/tsx$/, "mjs")).href);
  const rendered = renderToStaticMarkup(createElement(module[each.component], each.parameters));
  const [react, html] = [rendered, each.fragment].map((text) => JSON.stringify(shape(parseFragment(text)), null, 1));
  if (react !== html) {
    failures += 1;
    const [left, right] = [react.split("\n"), html.split("\n")];
    const line = left.findIndex((text, at) => text !== right[at]);
    console.error(`${each.name} differs:\n  React ${left.slice(line, line + 3)}\n  HTML  ${right.slice(line, line + 3)}`);
    console.error(`  React: ${rendered}\n  HTML:  ${each.fragment}`);
  }
}
console.log(`${cases.length} cases, React ${version}, ${failures} differ`);
process.exit(failures === 0 && cases.length > 0 ? 0 : 1);
