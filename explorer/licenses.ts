/** A Vite plugin pair that writes the licences of every package in the bundle to one text file. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

interface Manifest {
  name: string;
  version: string;
  license?: string;
  author?: string | { name: string };
  contributors?: (string | { name: string })[];
  repository?: string | { url: string };
}

const RULE = "=".repeat(80);
const LICENSE_FILE = /^(licen[cs]e|copying|notice|thirdpartynotices)/i;

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;

/** `collector` goes into each worker's bundle, `writer` into the page's, which Vite finishes last. */
export function licenses(fileName: string): { collector: Plugin; writer: Plugin } {
  const packages = new Set<string>();
  const collect: NonNullable<Plugin["generateBundle"]> = (_options, bundle) => {
    for (const output of Object.values(bundle)) {
      if (output.type !== "chunk") continue;
      for (const id of output.moduleIds) {
        const folder = packageOf(id);
        if (folder) packages.add(folder);
      }
    }
  };
  return {
    collector: { name: "licenses-of-worker", generateBundle: collect },
    writer: {
      name: "licenses",
      generateBundle(...args) {
        collect.apply(this, args);
        this.emitFile({ type: "asset", fileName, source: text([...packages]) });
      },
    },
  };
}

/** The folder of the package that a module belongs to; null for our own modules. */
function packageOf(id: string): string | null {
  const path = id.replace(/^\0/, "").replace(/\?.*$/, "");
  if (!path.includes("/node_modules/")) return null;
  // Packages hold further package.json files, without a name, to mark a folder's module type.
  for (let folder = dirname(path); !folder.endsWith("/node_modules"); folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json")) && manifest(folder).version) return folder;
  }
  throw new Error(`No package holds ${id}`);
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

function text(folders: string[]): string {
  const entries = new Map<string, string>();
  for (const folder of folders) {
    const { name, version, license = "unknown" } = manifest(folder);
    entries.set(`${name} ${version} (${license})`, licenseOf(folder));
  }
  const parts = ["The explorer's built files contain the following packages."];
  for (const title of [...entries.keys()].sort()) parts.push(`${RULE}\n${title}\n\n${entries.get(title)}`);
  parts.push(`${RULE}\nFonts and vendored code\n\n${readFileSync(new URL("notices.txt", import.meta.url), "utf8")}`);
  return parts.map((part) => part.replace(/\r/g, "").replace(/[ \t]+$/gm, "").trim()).join("\n\n") + "\n";
}

function licenseOf(folder: string): string {
  const files = readdirSync(folder).filter((file) => LICENSE_FILE.test(file)).sort();
  if (files.length) return files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n\n");
  const { name, license, author, contributors = [], repository } = manifest(folder);
  if (license !== "MIT") throw new Error(`${name} carries no licence file; see to it by hand`);
  const people = [author, ...contributors].filter((person) => person !== undefined);
  const holders = people.map((person) => (typeof person === "string" ? person : person.name)).join(", ");
  const home = typeof repository === "string" ? repository : repository?.url;
  return `Copyright (c) ${holders || `the authors of ${name}`}\n${home ?? ""}\n\n${MIT}`;
}
