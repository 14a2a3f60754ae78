// What every client with a store has to manage: of a success comes one edge of a list, and of an error nothing.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { astFromValue, buildSchema, getNamedType, isLeafType, isObjectType, print } from "graphql";
import { ENDPOINT, newDocument, newSection, openChat } from "./marginalia.mjs";

export const schema = buildSchema(readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8"));

/** Whole texts, made anew for each answer. */
const COSTLY = ["markdown", "html", "contentHtml"];

/** The lists of which mutations answer with an edge, by the type of the edge. */
const LISTS = {
  DocumentEdge: { name: "Documents", parent: null, field: "documents", page: "first: 100" },
  DocumentSectionEdge: { name: "Sections", parent: "document", field: "sections", page: "first: 100" },
  MessageEdge: { name: "Messages", parent: "chatSession", field: "messages", page: "last: 20" },
};

/** What else a success tells of an object that holds the list. */
const ALSO = {
  copySection: "document { id version updatedAt }",
  createSection: "document { id version updatedAt }",
  placeSection: "placement { document { id version updatedAt } }",
  postMessage: "chat { id messageCount updatedAt }",
};

export const lists = Object.entries(LISTS).map(([edgeType, list]) => ({
  ...list,
  edgeType,
  query: query({ ...list, edgeType }, ""),
}));

/** The mutations whose edge is of what was in the list before. */
const MOVES = ["moveSection", "replaceSection"];

/** Every mutation whose success has a new edge: its name, the field of the edge, the list, its text and its errors. */
export const mutations = Object.values(schema.getMutationType().getFields()).flatMap((field) => {
  const possible = getNamedType(field.type).getTypes();
  const success = possible.find((type) => LISTS[edgeOf(type)?.type]);
  if (!success || MOVES.includes(field.name)) return [];
  const errors = possible.filter((type) => type !== success);
  const { name: edge, type: edgeType } = edgeOf(success);
  const list = lists.find((each) => each.edgeType === edgeType);
  return [{ name: field.name, success, edge, errors, list, text: mutation(field, success, errors, "", "") }];
});

/** The same, as Relay writes it: a list is a connection with a key, and the edge is appended to connections. */
export const forRelay = {
  key: (list) => `edges_${list.field}`,
  query: (list) => query(list, ` @connection(key: "${forRelay.key(list)}")`),
  mutation: ({ name, success, errors }) => {
    const field = schema.getMutationType().getFields()[name];
    return mutation(field, success, errors, ", $connections: [ID!]!", " @appendEdge(connections: $connections)");
  },
};

/** The data of a list with one more edge at its end, unless its node is there already. */
export function appended(data, list, edge) {
  const connection = of(data, list);
  if (connection.edges.some(({ node }) => node.id === edge.node.id)) return data;
  const longer = { ...connection, edges: [...connection.edges, edge] };
  return list.parent
    ? { ...data, [list.parent]: { ...data[list.parent], [list.field]: longer } }
    : { ...data, [list.field]: longer };
}

/**
 * Test a client with a store. `open(fetch)` returns one with an empty store: `read(list, variables)` fetches a list
 * into it, `mutate(mutation, variables, holder)` promises an answer whose edge, if any, is appended to the list that
 * the object with the id `holder` has, `held(list, variables)` is the data of a list from the store alone, and
 * `objects()`, where the client has it, all of the store but the answers of mutations.
 */
export function keepsLists(name, open) {
  for (const mutation of mutations) {
    test(`${name}: ${mutation.name}, its edge and its errors`, { timeout: 20_000 }, async (context) => {
      const complaints = ["warn", "error"].map((level) => context.mock.method(console, level));
      await keeps(open, mutation);
      assert.deepEqual(complaints.flatMap(({ mock }) => mock.calls.map((call) => call.arguments)), []);
    });
  }
}

async function keeps(open, mutation) {
  const world = await newWorld();
  const { accepted, refused } = CALLS[mutation.name](world);
  const holder = variablesOf(mutation.list, world).id;
  let madeUp = null;
  const client = open((url, options) => {
    if (!madeUp) return fetch(url, options);
    const headers = { "content-type": "application/graphql-response+json" };
    return Promise.resolve(new Response(JSON.stringify({ data: { [mutation.name]: madeUp } }), { headers }));
  });
  await readAll(client, world);

  /** Ask for what is refused: afterwards the store has what it had. */
  async function isRefused(variables, type) {
    const before = await everything(client, world);
    const answer = await client.mutate(mutation, variables, holder);
    assert.equal(answer.__typename, type);
    if (!madeUp) assert.equal(answer.code, constant(type));
    assert.deepEqual(await everything(client, world), before, type);
  }

  for (const [type, variables] of Object.entries(refused)) await isRefused(variables, type);

  const before = await heldLists(client, world);
  const answer = await client.mutate(mutation, accepted, holder);
  assert.equal(answer.__typename, mutation.success.name);
  const after = await heldLists(client, world);
  const expected = await readAll(open(fetch), world);
  for (const [index, list] of lists.entries()) {
    if (list !== mutation.list) {
      assert.deepEqual(after[index], expected[index], list.name);
      continue;
    }
    const [had, has, read] = [before, after, expected].map((held) => of(held[index], list).edges);
    const added = has.at(-1);
    assert.deepEqual(has.slice(0, -1), had);
    assert.equal(added.node.id, answer[mutation.edge].node.id);
    // As the server gives it in the list itself, and so is what holds the list.
    assert.deepEqual(added, read.find(({ node }) => node.id === added.node.id));
    assert.deepEqual(holderOf(after[index], list), holderOf(expected[index], list));
  }

  // The same call once more is the same edge.
  const again = await client.mutate(mutation, accepted, holder);
  assert.equal(again.__typename, mutation.success.name);
  assert.deepEqual(await heldLists(client, world), after);

  // Those which this server cannot be brought to give, too; under the arguments of a success, and with ids of objects.
  assert.ok(mutation.errors.length >= 4);
  for (const type of mutation.errors) {
    for (const id of [world.document.id, world.section.id, world.chat.id]) {
      madeUp = sample(type, id);
      await isRefused(accepted, type.name);
    }
  }
}

/** How each mutation is sent so that it is accepted, and refused in which ways. */
const CALLS = {
  createDocument: ({ document }) => {
    const accepted = { title: "A *title*", description: "What it is", id: newId("doc") };
    const IdTaken = { ...accepted, id: document.id };
    return { accepted, refused: { InvalidInput: { ...accepted, title: " " }, IdTaken } };
  },
  importDocument: ({ document }) => {
    const accepted = { markdown: "# One\n\nText.\n", title: "Mine", id: newId("doc") };
    const IdTaken = { ...accepted, id: document.id };
    return { accepted, refused: { InvalidInput: { ...accepted, markdown: "\0" }, IdTaken } };
  },
  createSection: ({ document, section }) => {
    const made = { title: "A *title*", content: "Text.", level: 2, id: newId("sec") };
    const accepted = { docId: document.id, section: made };
    const DocumentNotFound = { ...accepted, docId: "doc_none" };
    const IdTaken = { ...accepted, section: { ...made, id: section.id } };
    const InvalidInput = { ...accepted, section: { ...made, level: 7 } };
    return { accepted, refused: { InvalidInput, IdTaken, DocumentNotFound } };
  },
  copySection: ({ document, section, elsewhere }) => {
    const accepted = { docId: document.id, sectionId: elsewhere.id, id: newId("sec") };
    const DocumentNotFound = { ...accepted, docId: "doc_none" };
    const IdTaken = { ...accepted, id: section.id };
    const SectionNotInDocument = { ...accepted, at: { after: "sec_none" } };
    return { accepted, refused: { DocumentNotFound, IdTaken, SectionNotInDocument } };
  },
  placeSection: ({ document, elsewhere }) => {
    const accepted = { docId: document.id, sectionId: elsewhere.id };
    const DocumentNotFound = { ...accepted, docId: "doc_none" };
    return { accepted, refused: { DocumentNotFound, SectionNotFound: { ...accepted, sectionId: "sec_none" } } };
  },
  postMessage: ({ chat }) => {
    const accepted = { chatId: chat.id, content: "Is it *so*?", clientId: newId("post") };
    const ClientIdConflict = { ...accepted, content: "Something else", clientId: FIRST_POST };
    const ChatSessionNotFound = { ...accepted, chatId: "chat_none" };
    const InvalidInput = { ...accepted, content: " \n" };
    return { accepted, refused: { InvalidInput, ClientIdConflict, ChatSessionNotFound } };
  },
};

const FIRST_POST = "the first one";

/** Make a document with a section that has a chat with a message, and a section that stands elsewhere. */
async function newWorld() {
  const document = await newDocument();
  const chat = await openChat(document);
  const elsewhere = await newSection(await newDocument());
  const { text } = mutations.find(({ name }) => name === "postMessage");
  const { postMessage } = await ask(text, { chatId: chat.id, content: "Text", clientId: FIRST_POST });
  assert.equal(postMessage.__typename, "PostMessageSuccess");
  return { document, section: chat.section, chat, elsewhere };
}

const variablesOf = (list, { document, chat }) =>
  ({ Documents: {}, Sections: { id: document.id }, Messages: { id: chat.id } })[list.name];

const readAll = async (client, world) => {
  for (const list of lists) await client.read(list, variablesOf(list, world));
  return heldLists(client, world);
};

const heldLists = (client, world) =>
  Promise.all(lists.map(async (list) => bare(await client.held(list, variablesOf(list, world)))));

const everything = async (client, world) =>
  structuredClone([await heldLists(client, world), (await client.objects?.()) ?? null]);

const of = (data, list) => (list.parent ? data[list.parent] : data)[list.field];

const holderOf = (data, list) => ({ ...(list.parent ? data[list.parent] : data), [list.field]: null });

/** Data without what a client adds to what was asked for. */
function bare(value) {
  if (Array.isArray(value)) return value.map(bare);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(([name]) => !name.startsWith("__") && name !== "pageInfo");
  return Object.fromEntries(kept.map(([name, each]) => [name, bare(each)]));
}

async function ask(text, variables) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(ENDPOINT, { method: "POST", headers, body: JSON.stringify({ query: text, variables }) });
  return (await response.json()).data;
}

/** An object of a type, whose ids are that of an object. */
function sample(type, id) {
  const value = (field) => {
    const named = getNamedType(field.type);
    if (isObjectType(named)) return [sample(named, id)];
    if (named.name === "ErrorCode") return constant(type.name);
    if (named.name === "ID") return id;
    if (named.name === "Int") return 1;
    return field.name === "path" ? ["title"] : "Words";
  };
  const fields = Object.values(type.getFields()).map((field) => [field.name, value(field)]);
  return { __typename: type.name, ...Object.fromEntries(fields) };
}

function query({ name, parent, field, page, edgeType }, directive) {
  const connection = `${field}(${page})${directive} { edges { ${selection(edgeType)} } }`;
  if (!parent) return `query edges${name}Query { ${connection} }`;
  const own = { document: "id version updatedAt", chatSession: "id messageCount updatedAt" }[parent];
  return `query edges${name}Query($id: ID!) { ${parent}(id: $id) { ${own} ${connection} } }`;
}

function mutation(field, success, errors, variables, directive) {
  const declared = field.args.map((argument) => `$${argument.name}: ${argument.type}${defaultOf(argument)}`).join(", ");
  const given = field.args.map(({ name }) => `${name}: $${name}`).join(", ");
  const { name: edge, type } = edgeOf(success);
  return `mutation edges${field.name[0].toUpperCase()}${field.name.slice(1)}Mutation(${declared}${variables}) {
    ${field.name}(${given}) {
      __typename
      ... on ${success.name} { ${edge}${directive} { ${selection(type)} } ${ALSO[field.name] ?? ""} }
      ... on Error { code message }
      ${errors.map((error) => `... on ${error.name} { ${fieldsOf(error)} }`).join("\n      ")}
    }
  }`;
}

function defaultOf({ defaultValue, type }) {
  return defaultValue === undefined ? "" : ` = ${print(astFromValue(defaultValue, type))}`;
}

function edgeOf(type) {
  const found = Object.values(type.getFields()).find((field) => /Edge$/.test(getNamedType(field.type).name));
  return found && { name: found.name, type: getNamedType(found.type).name };
}

function selection(edgeType) {
  const { node, ...fields } = schema.getType(edgeType).getFields();
  const leaves = Object.values(getNamedType(node.type).getFields()).filter(
    ({ type, args }) => isLeafType(getNamedType(type)) && args.length === 0,
  );
  // The Markdown of a whole document is no part of a list.
  const names = leaves.map(({ name }) => name).filter((name) => !COSTLY.includes(name));
  return `${Object.keys(fields).join(" ")} node { ${names.join(" ")} }`;
}

function fieldsOf(error) {
  const fields = Object.values(error.getFields()).map(({ name, type }) => [name, getNamedType(type)]);
  return fields.map(([name, type]) => (isObjectType(type) ? `${name} { ${fieldsOf(type)} }` : name)).join(" ");
}

const constant = (type) => type.replace(/(?<=.)([A-Z])/g, "_$1").toUpperCase();

const newId = (kind) => `${kind}_${crypto.randomUUID()}`;
