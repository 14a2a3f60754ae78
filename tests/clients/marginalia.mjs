// What every client has to manage: a query, a mutation and a subscription, each on a document of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

/** Where the client speaks to, and where everybody else does: another server of the same database, if there is one. */
export const ENDPOINT = endpoint(process.env.MARGINALIA_ADDRESS);
const ELSEWHERE = endpoint(process.env.MARGINALIA_OTHER_ADDRESS || process.env.MARGINALIA_ADDRESS);

/** A query by GET has to carry a header that a foreign page cannot send unasked. */
export const PREFLIGHT = { "GraphQL-Require-Preflight": "1" };

const PATIENCE = 10_000;
const GLANCE = 200;

const READ = `
  query Read($docId: ID!) {
    document(id: $docId) { id title sections(first: 10) { edges { node { id title chat { id } } } } }
  }`;

const ENSURE = `
  mutation Ensure($docId: ID!, $sectionId: ID!) {
    ensureSectionChat(docId: $docId, sectionId: $sectionId) {
      __typename
      ... on ChatSession { id ensured section { id title } document { id title } }
      ... on Error { code message }
    }
  }`;

const OPENED = `
  subscription Opened($docId: ID!) {
    sectionChatOpened(docId: $docId) { chat { id section { id title } document { id title } } }
  }`;

const CREATE_DOCUMENT = `mutation ($title: String!) {
  createDocument(title: $title) {
    ... on CreateDocumentSuccess { document { id title } }
    ... on Error { code message }
  }
}`;

const CREATE_SECTION = `mutation ($docId: ID!, $title: String!) {
  createSection(docId: $docId, section: { title: $title }) {
    ... on CreateSectionSuccess { section { id title } }
    ... on Error { code message }
  }
}`;

/**
 * Test a client. `query` and `mutate` take an operation and its variables and promise `{ data, errors }`; `subscribe`
 * takes them and a sink of `next({ data, errors })`, `error(e)` and `complete()`, and returns what stops it.
 */
export function speaks(name, { query, mutate, subscribe }) {
  if (query) test(`${name}: query`, { timeout: 2 * PATIENCE }, () => reads(query));
  if (query) test(`${name}: invalid query`, { timeout: 2 * PATIENCE }, () => isRefused(query));
  if (mutate) test(`${name}: mutation`, { timeout: 2 * PATIENCE }, () => ensures(mutate));
  if (subscribe) test(`${name}: subscription`, { timeout: 2 * PATIENCE }, () => hears(subscribe));
}

/** A fetch that goes by one method only: a client that quietly takes another fails. */
export function by(method) {
  return (url, options) => {
    assert.equal(options.method, method);
    return fetch(url, options);
  };
}

/** Promise the first result of a stream, for the clients to which every operation is one. */
export function first(subscribe) {
  return (operation, variables) =>
    new Promise((resolve, reject) => {
      let result;
      subscribe(operation, variables, {
        next: (value) => (result ??= value),
        error: (error) => (Array.isArray(error) ? resolve({ errors: error }) : reject(error)),
        complete: () => (result ? resolve(result) : reject(new Error("It ended without a result."))),
      });
    });
}

async function reads(query) {
  const document = await newDocument();
  const section = await newSection(document);
  const { data, errors } = await query(READ, { docId: document.id });
  assert.equal(errors, undefined);
  const nodes = data.document.sections.edges.map((edge) => edge.node);
  assert.deepEqual([data.document.id, data.document.title], [document.id, document.title]);
  assert.deepEqual(nodes.map(({ id, title, chat }) => ({ id, title, chat })), [{ ...section, chat: null }]);
  assert.deepEqual((await query(READ, { docId: "doc_none" })).data, { document: null });
}

async function isRefused(query) {
  const { errors } = await query("query Unknown { noSuchField }", {});
  assert.match(errors[0].message, /noSuchField/);
}

async function ensures(mutate) {
  const document = await newDocument();
  const section = await newSection(document);
  const place = { docId: document.id, sectionId: section.id };
  const { data, errors } = await mutate(ENSURE, place);
  assert.equal(errors, undefined);
  assert.deepEqual([data.ensureSectionChat.__typename, data.ensureSectionChat.ensured], ["ChatSession", "CREATED"]);
  assert.deepEqual(plain(data.ensureSectionChat), { id: data.ensureSectionChat.id, section, document });

  const again = await mutate(ENSURE, place);
  assert.equal(again.data.ensureSectionChat.id, data.ensureSectionChat.id);
  assert.equal(again.data.ensureSectionChat.ensured, "FOUND");

  const nowhere = await mutate(ENSURE, { ...place, docId: "doc_none" });
  assert.equal(nowhere.data.ensureSectionChat.code, "DOCUMENT_NOT_FOUND");
}

/**
 * No protocol says when a subscription is live, so chats are opened until one of them is heard of. From that one on,
 * each must be, once and in order, and of no other document.
 */
async function hears(subscribe) {
  const document = await newDocument();
  const opened = [];
  const heard = [];
  let ended = null;
  const stop = subscribe(OPENED, { docId: document.id }, {
    next: ({ data, errors }) => heard.push(errors ?? plain(data.sectionChatOpened.chat)),
    error: (error) => (ended ??= error),
    complete: () => (ended ??= "It was completed."),
  });
  try {
    await until(async () => {
      opened.push(await openChat(document));
      await pause(GLANCE);
      return heard.length > 0 || ended;
    });
    await openChat(await newDocument());
    opened.push(await openChat(document), await openChat(document));
    const live = opened.findIndex((chat) => chat.id === heard[0]?.id);
    await until(async () => {
      await pause(GLANCE);
      return heard.length >= opened.length - live || ended;
    });
    assert.equal(ended, null);
    assert.deepEqual(heard, opened.slice(live));
  } finally {
    await stop();
  }
  // The server has let it go; that nothing more is heard would prove nothing, as the client does not listen any more.
  await until(async () => (await pause(20), await subscribers()) === 0);
}

/** How many subscriptions the server holds that the client speaks to; one test runs at a time. */
async function subscribers() {
  const text = await (await fetch(ENDPOINT.replace(/graphql$/, "metrics"))).text();
  return Number(/^marginalia_subscribers (.+)$/m.exec(text)[1]);
}

async function until(condition) {
  const deadline = Date.now() + PATIENCE;
  while (!(await condition())) assert.ok(Date.now() < deadline, "It did not happen in time.");
}

/** Make a document for others, by the other server if there is one, and promise its id and title. */
export async function newDocument() {
  const { createDocument } = await post(CREATE_DOCUMENT, { title: `The *document* “${crypto.randomUUID()}”` });
  return createDocument.document;
}

/** Make a section at the end of a document, likewise. */
export async function newSection(document) {
  const variables = { docId: document.id, title: `§ ${crypto.randomUUID()} 🖋` };
  return (await post(CREATE_SECTION, variables)).createSection.section;
}

/** Open the chat of a new section of a document, likewise; it has the id and the title of both. */
export async function openChat(document) {
  const section = await newSection(document);
  const { ensureSectionChat } = await post(ENSURE, { docId: document.id, sectionId: section.id });
  assert.equal(ensureSectionChat.ensured, "CREATED");
  return plain(ensureSectionChat);
}

/** A chat without what a client puts in on its own, such as __typename. */
function plain({ id, section, document }) {
  const pick = (thing) => ({ id: thing.id, title: thing.title });
  return { id, section: pick(section), document: pick(document) };
}

async function post(query, variables) {
  const response = await fetch(ELSEWHERE, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

function endpoint(address) {
  if (!address) throw new Error("MARGINALIA_ADDRESS has to name a running server, as http://127.0.0.1:40123");
  return `${address}/graphql`;
}
