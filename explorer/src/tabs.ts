/** The tabs of a first visit: import a document, list its sections, ensure a chat, read it back, follow others. */
import ensureSectionChat from "./operations/EnsureSectionChat.graphql?raw";
import followChats from "./operations/FollowChats.graphql?raw";
import importDocument from "./operations/ImportDocument.graphql?raw";
import listSections from "./operations/ListSections.graphql?raw";
import readChat from "./operations/ReadChat.graphql?raw";
import type { Ids } from "./newest";

export interface Tab {
  query: string;
  variables: string;
}

const MARKDOWN = `# A walk along the river

We start at the old mill, where the path is still wide.

## What to bring

- good shoes
- a thermos of tea
- *nothing* that rings

## The way back

Cross the footbridge, then follow the alders home.
`;

const PLACEHOLDERS: Ids = { docId: "doc_…", sectionId: "sec_…" };
const PASTE = "// Paste the ids from the first tab's answer.\n";

/** `ids` fill the variables; without them the tabs hold placeholders and say what to paste. */
export function welcomeTabs(ids: Ids | null): [Tab, ...Tab[]] {
  const { docId, sectionId } = ids ?? PLACEHOLDERS;
  const withIds = (query: string, variables: Partial<Ids>): Tab => ({
    query,
    variables: (ids ? "" : PASTE) + pretty(variables),
  });
  return [
    { query: importDocument, variables: pretty({ title: "A walk along the river", markdown: MARKDOWN }) },
    withIds(listSections, { docId }),
    withIds(ensureSectionChat, { docId, sectionId }),
    withIds(readChat, { sectionId }),
    withIds(followChats, { docId }),
  ];
}

function pretty(variables: object): string {
  return JSON.stringify(variables, null, 2);
}
