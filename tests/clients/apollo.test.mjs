// Apollo Client: POST, GET, hashes instead of queries, and subscriptions over a socket and by multipart; and its cache.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { createPersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { isAbstractType } from "graphql";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { appended, keepsLists, schema } from "./edges.mjs";
import { ENDPOINT, by, speaks } from "./marginalia.mjs";

const possibleTypes = Object.fromEntries(
  Object.values(schema.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, schema.getPossibleTypes(type).map((possible) => possible.name)]),
);

globalThis.WebSocket ??= WebSocket; // GraphQLWsLink asks whether an error came from one; Node 20 has none
const socket = createClient({ url: ENDPOINT.replace("http", "ws"), webSocketImpl: WebSocket });
after(() => socket.dispose());

async function sha256(text) {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Buffer.from(hash).toString("hex");
}

/** A result as GraphQL has it; what went wrong on the way is thrown. */
function result({ data, error }) {
  if (error && !CombinedGraphQLErrors.is(error)) throw error;
  return { data, errors: error?.errors };
}

function operations(link) {
  const client = new ApolloClient({
    link,
    cache: new InMemoryCache({ possibleTypes }),
    defaultOptions: { query: { errorPolicy: "all", fetchPolicy: "network-only" }, mutate: { errorPolicy: "all" } },
  });
  return {
    query: async (operation, variables) => result(await client.query({ query: gql(operation), variables })),
    mutate: async (operation, variables) => result(await client.mutate({ mutation: gql(operation), variables })),
    subscribe: (operation, variables, sink) => {
      const stream = client.subscribe({ query: gql(operation), variables });
      const next = ({ data, error }) => (error ? sink.error(error) : sink.next({ data }));
      const subscription = stream.subscribe({ ...sink, next });
      return () => subscription.unsubscribe();
    },
  };
}

const sent = [];

/** A fetch that keeps what was sent. */
function watched(url, options) {
  const { searchParams } = new URL(url);
  sent.push(options.method === "GET" ? Object.fromEntries(searchParams) : JSON.parse(options.body));
  return fetch(url, options);
}

const post = new HttpLink({ uri: ENDPOINT, fetch: by("POST") });
const get = new HttpLink({ uri: ENDPOINT, fetch: by("GET"), useGETForQueries: true });
const either = new HttpLink({ uri: ENDPOINT, fetch: watched });
const hashes = createPersistedQueryLink({ sha256 });
const hashesByGet = createPersistedQueryLink({ sha256, useGETForHashedQueries: true });

speaks("Apollo by POST and multipart", operations(post));
speaks("Apollo by GET", { query: operations(get).query });
speaks("Apollo with hashes by GET", { query: operations(ApolloLink.from([hashesByGet, either])).query });
speaks("Apollo with hashes by POST", operations(ApolloLink.from([hashes, either])));
speaks("Apollo by WebSocket", operations(new GraphQLWsLink(socket)));

test("Apollo with hashes: the text of a query that the server knows is not sent", () => {
  const reads = sent.filter((request) => request.operationName === "Read");
  assert.ok(reads.length >= 4);
  assert.ok(!("query" in reads.at(-1)));
});

function open(fetch) {
  const cache = new InMemoryCache({ possibleTypes });
  const client = new ApolloClient({ link: new HttpLink({ uri: ENDPOINT, fetch }), cache });
  const listed = (list, variables) => ({ query: gql(list.query), variables });
  return {
    read: (list, variables) => client.query({ ...listed(list, variables), fetchPolicy: "network-only" }),
    held: (list, variables) => cache.readQuery(listed(list, variables)),
    mutate: async ({ name, edge, list, text }, variables, holder) => {
      const update = (_, { data: { [name]: answer } }) => {
        const add = (held) => appended(held, list, answer[edge]);
        if (answer[edge]) cache.updateQuery(listed(list, holder ? { id: holder } : {}), add);
      };
      return (await client.mutate({ mutation: gql(text), variables, update })).data[name];
    },
    objects: () => {
      const { ROOT_MUTATION, ...objects } = cache.extract();
      return objects;
    },
  };
}

keepsLists("Apollo", open);
