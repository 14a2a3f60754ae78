// The executor of GraphQL Tools: POST, GET and Server-Sent Events.
import { buildHTTPExecutor } from "@graphql-tools/executor-http";
import { parse } from "graphql";
import { ENDPOINT, PREFLIGHT, by, speaks } from "./marginalia.mjs";

const post = buildHTTPExecutor({ endpoint: ENDPOINT, fetch: by("POST") });
const get = buildHTTPExecutor({
  endpoint: ENDPOINT,
  fetch: by("GET"),
  useGETForQueries: true,
  headers: PREFLIGHT,
});

const once = (execute) => (operation, variables) => execute({ document: parse(operation), variables });

function subscribe(operation, variables, sink) {
  const results = once(post)(operation, variables);
  const pumped = pump(results, sink);
  return async () => {
    await (await results).return();
    await pumped;
  };
}

async function pump(results, sink) {
  try {
    for await (const result of await results) sink.next(result);
    sink.complete();
  } catch (error) {
    sink.error(error);
  }
}

speaks("executor-http by POST", { query: once(post), mutate: once(post), subscribe });
speaks("executor-http by GET", { query: once(get) });
