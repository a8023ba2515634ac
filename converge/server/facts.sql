-- What the server and the role are: one row.
-- \set extensions 'ARRAY[''pg_trgm'']' \set schemas 'ARRAY[''public'']' \set homes 'ARRAY[''public'']'
-- \set pid '''1''' \set unlimited '''{"statement_timeout": "0"}'''
SELECT current_setting('server_version_num')::integer, version(), pg_is_in_recovery(),
  current_user, current_database(),
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
  has_database_privilege(current_database(), 'CREATE'),
  has_database_privilege(current_database(), 'TEMPORARY'),
  (SELECT h.name FROM unnest(:homes) WITH ORDINALITY AS h (name, place)
   JOIN pg_namespace n ON n.nspname = h.name
   WHERE has_schema_privilege(n.oid, 'USAGE') ORDER BY h.place LIMIT 1),
  (SELECT datctype FROM pg_database WHERE datname = current_database()),
  (SELECT json_object_agg(w.name, json_build_object(
      'schema', n.nspname,
      'usable', COALESCE(has_schema_privilege(n.oid, 'USAGE'), false),
      'available', e.oid IS NOT NULL
        OR EXISTS (SELECT FROM pg_available_extensions a WHERE a.name = w.name),
      -- There is no column `trusted` before 13.
      'trusted', COALESCE((SELECT bool_or((to_jsonb(v) ->> 'trusted')::boolean)
        FROM pg_available_extension_versions v WHERE v.name = w.name), false)))
   FROM unnest(:extensions) AS w (name)
   LEFT JOIN pg_extension e ON e.extname = w.name
   LEFT JOIN pg_namespace n ON n.oid = e.extnamespace),
  pg_backend_pid()::text <> :pid,
  (SELECT json_agg(nspname ORDER BY nspname) FROM pg_namespace n
   WHERE NOT has_schema_privilege(n.oid, 'USAGE') AND nspname = ANY (:schemas)),
  (SELECT json_object_agg(name, current_setting(name)) FROM json_each_text(:unlimited) AS u
   JOIN pg_settings s ON s.name = u.key WHERE s.setting <> u.value),
  (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on'),
  EXISTS (SELECT FROM pg_event_trigger WHERE evtenabled <> 'D'),
  (SELECT split_part(extversion, '.', 1)::integer FROM pg_extension WHERE extname = 'citus')
