/** The tabs of a first visit: import a document, list its sections, ensure a chat, post in it, read it back,
 * edit the section, sync a document of one's own, follow others. */
import editSection from "./operations/EditSection.graphql?raw";
import ensureSectionChat from "./operations/EnsureSectionChat.graphql?raw";
import followChats from "./operations/FollowChats.graphql?raw";
import importDocument from "./operations/ImportDocument.graphql?raw";
import listSections from "./operations/ListSections.graphql?raw";
import postMessage from "./operations/PostMessage.graphql?raw";
import readChat from "./operations/ReadChat.graphql?raw";
import syncDocument from "./operations/SyncDocument.graphql?raw";
import { type Ids, PLACEHOLDERS } from "./newest";

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

const SECTIONS = [
  { id: "my-own-1a", title: "One", content: "The first text." },
  { id: "my-own-1b", title: "Two", level: 2, content: "The second text." },
];

/** `ids` fill the variables; without them the tabs hold placeholders, until the tour has answers to fill them from. */
export function welcomeTabs(ids: Ids | null): [Tab, ...Tab[]] {
  const { docId, sectionId, chatId } = ids ?? PLACEHOLDERS;
  return [
    { query: importDocument, variables: pretty({ title: "A walk along the river", markdown: MARKDOWN }) },
    { query: listSections, variables: pretty({ docId }) },
    { query: ensureSectionChat, variables: pretty({ docId, sectionId }) },
    { query: postMessage, variables: pretty({ chatId, content: "Is the mill *still* there?", clientId: "tour-1" }) },
    { query: readChat, variables: pretty({ sectionId }) },
    { query: editSection, variables: pretty({ sectionId, changes: { content: "Tea, *shoes* and nothing else." } }) },
    { query: syncDocument, variables: pretty({ docId: "my-own-1", title: "Written elsewhere", sections: SECTIONS }) },
    { query: followChats, variables: pretty({ docId }) },
  ];
}

function pretty(variables: object): string {
  return JSON.stringify(variables, null, 2);
}
