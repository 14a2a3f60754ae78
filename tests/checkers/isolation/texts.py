"""The texts of the operations: each asks for all the text that lies around what it names."""

_TALK = """
id viewerRole createdBy { name } document { id title description }
messages(last: 5) { totalCount edges { node { id content author { name } chat { id } } } }
"""

_SECTION = f"id title content viewerRole createdBy {{ name }} chat {{ {_TALK} }}"

_DOCUMENTS = "documents(first: 20) { totalCount edges { node { id title description viewerRole } } }"

ENSURE = f"""
mutation ($document: ID!, $section: ID!) {{
  ensureSectionChat(docId: $document, sectionId: $section) {{
    ... on ChatSession {{ {_TALK} section {{ id title content {_DOCUMENTS} }} }}
    ... on Error {{ code message }}
  }}
}}
"""

ENSURE_MANY = f"""
mutation ($document: ID!, $sections: [ID!]!) {{
  ensureSectionChats(docId: $document, sectionIds: $sections) {{
    ... on EnsureSectionChatsSuccess {{
      results {{ sectionId chat {{ {_TALK} section {{ id title }} }} error {{ code message }} }}
    }}
    ... on Error {{ code message }}
  }}
}}
"""

DOCUMENT = f"""
query ($id: ID!) {{
  document(id: $id) {{
    id title description markdown viewerRole createdBy {{ name }}
    grants(first: 20) {{ totalCount edges {{ node {{ user {{ id name }} }} }} }}
    shareLinks(first: 20) {{ totalCount edges {{ node {{ document {{ title }} }} }} }}
    sections(first: 10) {{ totalCount edges {{ node {{ {_SECTION} {_DOCUMENTS} }} }} }}
  }}
}}
"""

SECTION = f"query ($id: ID!) {{ section(id: $id) {{ {_SECTION} {_DOCUMENTS} }} }}"

CHAT = f"query ($id: ID!) {{ chatSession(id: $id) {{ {_TALK} section {{ {_SECTION} }} }} }}"

NODES = f"""
query ($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    id
    ... on Document {{ title description }}
    ... on Section {{ {_SECTION} }}
    ... on ChatSession {{ section {{ title }} }}
    ... on Message {{ content author {{ name }} chat {{ document {{ title }} section {{ title }} }} }}
    ... on User {{ name }}
    ... on Workspace {{ name }}
  }}
}}
"""

LIST = f"""
{{
  viewer {{ user {{ id name }} role workspace {{ id name }} }}
  documents(last: 50) {{
    totalCount edges {{ node {{ id title viewerRole sections(first: 5) {{ edges {{ node {{ {_SECTION} }} }} }} }} }}
  }}
}}
"""

TRASH = """
{
  trashedDocuments(last: 50) { totalCount edges { node { id title description } } }
  trashedSections(last: 50) { totalCount edges { node { id title content } } }
}
"""

POST = f"""
mutation ($chat: ID!, $content: String!) {{
  postMessage(chatId: $chat, content: $content) {{
    ... on PostMessageSuccess {{ postedMessage {{ content author {{ name }} }} chat {{ {_TALK} section {{ title }} }} }}
    ... on Error {{ code message }}
  }}
}}
"""

CREATE = """
mutation ($id: ID!, $title: String!) {
  createDocument(id: $id, title: $title) {
    ... on CreateDocumentSuccess { document { id title createdBy { name } } documentEdge { node { title } } }
    ... on Error { code message }
  }
}
"""

SUBSCRIBE = f"""
subscription ($document: ID!) {{
  sectionChatOpened(docId: $document) {{ actor {{ name }} chat {{ {_TALK} section {{ {_SECTION} }} }} }}
}}
"""
