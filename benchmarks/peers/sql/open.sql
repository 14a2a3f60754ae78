-- What `db.anchors.write_chats` does, for one section: one statement, and so one transaction. No row: somebody else was
-- faster, or the section has left the document.
WITH anchor AS MATERIALIZED (
  SELECT section.workspace_id, section.id AS section_id, document.id AS document_id
  FROM sections AS section
  JOIN document_sections AS placement
    ON placement.workspace_id = section.workspace_id AND placement.section_id = section.id
  JOIN documents AS document
    ON document.workspace_id = placement.workspace_id AND document.id = placement.document_id
  WHERE section.workspace_id = $1 AND document.id = $2 AND section.id = $3
    AND section.deleted_at IS NULL AND document.deleted_at IS NULL
  FOR KEY SHARE OF document, placement, section
), opened AS (
  INSERT INTO chat_sessions (workspace_id, section_id, document_id, id, created_by)
  SELECT workspace_id, section_id, document_id, $4, $5 FROM anchor
  ON CONFLICT ON CONSTRAINT chat_sessions_section_key DO NOTHING
  RETURNING *
), pointed AS (
  UPDATE sections SET chat_session_id = opened.id
  FROM opened WHERE sections.workspace_id = opened.workspace_id AND sections.id = opened.section_id
)
SELECT id, created_at, last_seq FROM opened
