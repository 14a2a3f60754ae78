SELECT id, title, level FROM sections WHERE workspace_id = $1 AND id = ANY($2) AND deleted_at IS NULL
