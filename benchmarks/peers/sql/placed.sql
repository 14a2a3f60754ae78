-- A page of the sections of a document, in reading order, with one more row to see whether there is another page.
SELECT section.id, section.title, section.level
FROM document_sections AS placement
JOIN sections AS section
  ON section.workspace_id = placement.workspace_id AND section.id = placement.section_id
WHERE placement.workspace_id = $1 AND placement.document_id = $2 AND section.deleted_at IS NULL
ORDER BY placement.position, placement.section_id
LIMIT $3 + 1
