// Relay: its compiler takes every edge of a mutation for @appendEdge, and its store appends it, and no error.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import compiler from "relay-compiler";
import runtime from "relay-runtime";
import { forRelay, keepsLists, lists, mutations } from "./edges.mjs";
import { ENDPOINT } from "./marginalia.mjs";

const { ConnectionHandler, Environment, Network, ROOT_ID, RecordSource, Store } = runtime;
const { commitMutation, createOperationDescriptor, fetchQuery, getRequest } = runtime;

const folder = mkdtempSync(join(tmpdir(), "relay-"));
after(() => rmSync(folder, { recursive: true }));

/** Compile texts, and return what the compiler said and where its artifacts are. */
function compiled(name, texts) {
  const project = join(folder, name);
  for (const part of ["src", "generated"]) mkdirSync(join(project, part), { recursive: true });
  writeFileSync(join(project, "src/edges.js"), texts.map((text) => `graphql\`${text}\`;\n`).join(""));
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "commonjs" }));
  const schema = fileURLToPath(new URL("../../schema.graphql", import.meta.url));
  const config = { src: "./src", artifactDirectory: "./generated", schema, language: "javascript" };
  writeFileSync(join(project, "relay.config.json"), JSON.stringify({ ...config, eagerEsModules: false }));
  const { status, stdout, stderr } = spawnSync(compiler, ["relay.config.json"], { cwd: project, encoding: "utf8" });
  return { status, said: stdout + stderr, generated: join(project, "generated/") };
}

const all = compiled("all", [...lists.map(forRelay.query), ...mutations.map((each) => forRelay.mutation(each))]);
const require = createRequire(all.generated);
const artifact = (text) => require(`./${/edges\w+/.exec(text)[0]}.graphql.js`);

test("Relay: every creation and postMessage compiles with @appendEdge", () => {
  assert.equal(all.status, 0, all.said);
  const names = mutations.map(({ name }) => name).sort();
  const creations = ["copySection", "createDocument", "createSection", "importDocument", "placeSection"];
  assert.deepEqual(names, [...creations, "postMessage"]);
  for (const mutation of mutations) {
    const handled = JSON.stringify(artifact(mutation.text).operation.selections);
    assert.match(handled, new RegExp(`"handle":"appendEdge","key":"","kind":"LinkedHandle","name":"${mutation.edge}"`));
  }
});

test("Relay: the compiler takes no object for an edge", () => {
  const [document] = mutations.filter(({ name }) => name === "createDocument");
  const wrong = forRelay.mutation(document).replace(/documentEdge(.*?)\{.*?\} \}/, "document$1{ id }");
  const { status, said } = compiled("wrong", [wrong]);
  assert.notEqual(status, 0);
  assert.match(said, /@appendEdge on field .document., expected an edge field/);
});

function open(fetch) {
  const send = async ({ text }, variables) => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ query: text, variables });
    return (await fetch(ENDPOINT, { method: "POST", headers, body })).json();
  };
  const environment = new Environment({ network: Network.create(send), store: new Store(new RecordSource()) });
  const listed = (list, variables) => createOperationDescriptor(getRequest(artifact(list.query)), variables);
  return {
    read: async (list, variables) => {
      environment.retain(listed(list, variables)); // as a component that shows it does
      await fetchQuery(environment, artifact(list.query), variables).toPromise();
    },
    held: (list, variables) => environment.lookup(listed(list, variables).fragment).data,
    mutate: (mutation, variables, holder = ROOT_ID) =>
      new Promise((resolve, reject) => {
        const connections = [ConnectionHandler.getConnectionID(holder, forRelay.key(mutation.list))];
        commitMutation(environment, {
          mutation: artifact(mutation.text),
          variables: { ...variables, connections },
          onCompleted: (data, errors) => (errors ? reject(errors) : resolve(data[mutation.name])),
          onError: reject,
        });
      }),
    objects: () => {
      const records = Object.entries(environment.getStore().getSource().toJSON());
      // Each answer to a mutation has a root of its own; and of an error Relay notes which interfaces its type has.
      return Object.fromEntries(records.filter(([id]) => !/^client:(local|__type):/.test(id)));
    },
  };
}

keepsLists("Relay", open);
