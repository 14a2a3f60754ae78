/** The explorer page: GraphiQL on our own endpoint, with tabs that show a first visitor the way. */
import "./workers";
import "./style.css";
import { createGraphiQLFetcher, createLocalStorage, StorageAPI } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { createRoot } from "react-dom/client";
import logo from "./logo.svg";
import { fetchNewestIds, PLACEHOLDERS } from "./newest";
import { type Tab, welcomeTabs } from "./tabs";
import { Tour, TourGuide } from "./tour";

// Beside the page, which a proxy may show under a prefix.
const ENDPOINT = new URL("graphql", location.href).pathname;

// Lazy: there is no socket before the first subscription.
const wsClient = createClient({ url: location.origin.replace(/^http/, "ws") + ENDPOINT, lazy: true });
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

const newest = await fetchNewestIds(ENDPOINT);
const tabs = firstTabs();
const tour = new Tour(newest ?? PLACEHOLDERS);
const fetcher = tour.watch(createGraphiQLFetcher({ url: ENDPOINT, wsClient, enableIncrementalDelivery: false }));

createRoot(document.getElementById("root")!).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    {...(tabs && { defaultTabs: tabs })}
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
  </GraphiQL>,
);
