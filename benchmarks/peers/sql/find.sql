-- What `db.anchors.find` reads: the document, the section, its placement in the document, and its chat.
SELECT document.id AS document_id, document.title AS document_title,
       section.id AS section_id, section.title AS section_title, section.level AS section_level,
       section.chat_session_id, placement.section_id IS NOT NULL AS placed,
       chat.id AS chat_id, chat.created_at, chat.last_seq,
       opened_through.id AS opened_through_id, opened_through.title AS opened_through_title
FROM (VALUES ($1::text, $2::text, $3::text)) AS asked (workspace_id, document_id, section_id)
LEFT JOIN documents AS document
  ON document.workspace_id = asked.workspace_id AND document.id = asked.document_id AND document.deleted_at IS NULL
LEFT JOIN sections AS section
  ON section.workspace_id = asked.workspace_id AND section.id = asked.section_id AND section.deleted_at IS NULL
LEFT JOIN document_sections AS placement
  ON placement.workspace_id = document.workspace_id AND placement.document_id = document.id
  AND placement.section_id = section.id
LEFT JOIN chat_sessions AS chat
  ON chat.workspace_id = section.workspace_id AND chat.section_id = section.id
LEFT JOIN documents AS opened_through
  ON opened_through.workspace_id = chat.workspace_id AND opened_through.id = chat.document_id
  AND opened_through.deleted_at IS NULL
