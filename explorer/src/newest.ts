/** The ids the tabs are filled with: the newest document, its first section and the chat of that. */
import newestIds from "./operations/NewestIds.graphql?raw";

export interface Ids {
  docId: string;
  sectionId: string;
  chatId: string;
}

/** What stands for an id that is not there yet. */
export const PLACEHOLDERS: Ids = { docId: "doc_…", sectionId: "sec_…", chatId: "chat_…" };

interface Connection<Node> {
  edges: { node: Node }[];
}

interface Answer {
  data?: {
    documents?: Connection<{ id: string; sections: Connection<{ id: string; chat: { id: string } | null }> }> | null;
  } | null;
}

/** Ask the server once. Null when it has no such document, cannot answer, or takes over two seconds. */
export async function fetchNewestIds(url: string, send: typeof fetch): Promise<Ids | null> {
  try {
    const response = await send(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: newestIds }),
      signal: AbortSignal.timeout(2000),
    });
    const { data } = (await response.json()) as Answer;
    const document = data?.documents?.edges[0]?.node;
    const section = document?.sections.edges[0]?.node;
    if (!document || !section) return null;
    return { docId: document.id, sectionId: section.id, chatId: section.chat?.id ?? PLACEHOLDERS.chatId };
  } catch {
    // The tabs have placeholders for this, and GraphiQL itself will tell what is wrong with the server.
    return null;
  }
}
