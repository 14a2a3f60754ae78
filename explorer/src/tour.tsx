/** The tour: the ids in the tabs follow what the visitor has made, as long as nobody has written other ones. */
import { useGraphiQL } from "@graphiql/react";
import type { Fetcher } from "@graphiql/toolkit";
import { useEffect } from "react";
import { type Ids, PLACEHOLDERS } from "./newest";

interface Answer {
  data?: {
    importDocument?: { document?: { id: string; sections?: { edges: { node: { id: string } }[] } } };
    ensureSectionChat?: { __typename?: string; id: string };
  } | null;
}

export class Tour {
  /** Every id that the tabs were filled with: only these are replaced. */
  private readonly filled = new Set<unknown>(Object.values(PLACEHOLDERS));
  private ids: Ids;

  constructor(ids: Ids) {
    this.ids = ids;
    this.remember();
  }

  /** Watch the answers to queries and mutations that a fetcher brings. */
  watch(fetcher: Fetcher): Fetcher {
    return (params, options) => {
      const answer = fetcher(params, options);
      // A subscription gives an iterable, in which nothing is found; what failed is told by GraphiQL.
      Promise.resolve(answer as Promise<Answer>).then((found) => this.learn(found), () => undefined);
      return answer;
    };
  }

  /** Return variables with the newest ids, or as they are when they hold no id of the tour, or are no JSON. */
  fill(variables: string): string {
    let values: Record<string, unknown>;
    try {
      values = JSON.parse(variables.replace(/^\s*\/\/.*$/gm, ""));
    } catch {
      return variables;
    }
    const stale = Object.entries(this.ids).filter(([name, id]) => this.filled.has(values[name]) && values[name] !== id);
    return stale.length ? JSON.stringify({ ...values, ...Object.fromEntries(stale) }, null, 2) : variables;
  }

  private learn({ data }: Answer): void {
    const made = data?.importDocument?.document;
    const section = made?.sections?.edges[0]?.node;
    if (made && section) {
      this.ids = { docId: made.id, sectionId: section.id, chatId: PLACEHOLDERS.chatId };
    }
    const chat = data?.ensureSectionChat;
    if (chat?.__typename === "ChatSession") this.ids = { ...this.ids, chatId: chat.id };
    this.remember();
  }

  private remember(): void {
    for (const id of Object.values(this.ids)) this.filled.add(id);
  }
}

/** Shows nothing; fills the variables of a tab when it is opened. */
export function TourGuide({ tour }: { tour: Tour }): null {
  const tab = useGraphiQL((state) => state.activeTabIndex);
  const editor = useGraphiQL((state) => state.variableEditor);
  useEffect(() => {
    const given = editor?.getValue();
    const filled = given && tour.fill(given);
    if (filled && filled !== given) editor?.setValue(filled);
  }, [tab, editor, tour]);
  return null;
}
