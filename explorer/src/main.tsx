/** The explorer page: GraphiQL on our own endpoint, with tabs that show a first visitor the way. */
import "./workers";
import "./style.css";
import { createGraphiQLFetcher, createLocalStorage, StorageAPI } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import logo from "./logo.svg";
import { fetchNewestIds, PLACEHOLDERS } from "./newest";
import { Session } from "./session";
import { SignInBar } from "./sign-in";
import { type Tab, welcomeTabs } from "./tabs";
import { Tour, TourGuide } from "./tour";

// Beside the page, which a proxy may show under a prefix.
const ENDPOINT = new URL("graphql", location.href).pathname;

// First of all: a sign-in link leaves the address bar before anything else can read it.
const session = new Session(ENDPOINT);

const FORBIDDEN = 4403;
const wsClient = createClient({
  url: location.origin.replace(/^http/, "ws") + ENDPOINT,
  lazy: true, // there is no socket before the first subscription
  connectionParams: session.connectionParams,
  shouldRetry: (event) => event instanceof CloseEvent && event.code !== FORBIDDEN,
  on: {
    closed: (event) => event instanceof CloseEvent && event.code === FORBIDDEN && session.refuse(),
    // After its last subscription the client closes the socket itself, before the server does.
    message: (message) => message.type === "error" && message.payload.some(isEndOfToken) && session.refuse(),
  },
});

function isEndOfToken({ extensions }: { extensions?: unknown }): boolean {
  return ["TOKEN_EXPIRED", "TOKEN_REVOKED"].includes((extensions as { code?: string } | undefined)?.code ?? "");
}

const storage = createLocalStorage({ namespace: "marginalia" });

/** The tabs to open with, or null on a later visit: GraphiQL then restores the visitor's own. */
function firstTabs(): Tab[] | null {
  const saved = new StorageAPI(storage);
  if (saved.get("tabState")) return null;
  const tabs = welcomeTabs(newest);
  // GraphiQL takes the editors' first contents from here, not from `defaultTabs`: without this the
  // first tab would open with empty variables, and so would a reload before the first edit.
  saved.set("query", tabs[0].query);
  saved.set("variables", tabs[0].variables);
  return tabs;
}

const [newest] = await Promise.all([fetchNewestIds(ENDPOINT, session.fetch), session.recognise()]);
// Without a token there is nothing to explore, nor ids to fill the tabs with.
const opens = !session.current().needed;
const tabs = opens ? firstTabs() : null;
const tour = new Tour(newest ?? PLACEHOLDERS);
const fetcher = tour.watch(
  createGraphiQLFetcher({ url: ENDPOINT, fetch: session.fetch, wsClient, enableIncrementalDelivery: false }),
);

function Explorer() {
  const { needed } = useSyncExternalStore(session.subscribe, session.current);
  return (
    <>
      <SignInBar session={session} />
      {opens && (
        <GraphiQL
          fetcher={fetcher}
          storage={storage}
          {...(tabs && { defaultTabs: tabs })}
          {...(needed && { schema: null })} // null: the server is not asked for it
          defaultEditorToolsVisibility="variables"
          inputValueDeprecation
          schemaDescription
        >
          <GraphiQL.Logo>
            <TourGuide tour={tour} />
            <a className="marginalia-logo" href="graphiql">
              <img src={logo} alt="" width="20" height="20" />
              Marginalia
            </a>
          </GraphiQL.Logo>
        </GraphiQL>
      )}
    </>
  );
}

createRoot(document.getElementById("root")!).render(<Explorer />);
