-- The server, the database and its settings, and since when scans of indexes are counted: one row.
-- \set settings 'ARRAY[''max_connections'']'
SELECT current_setting('server_version'), d.datname, pg_database_size(d.oid),
  pg_encoding_to_char(d.encoding),
  concat_ws(', ',
    CASE WHEN d.datctype = d.datcollate THEN d.datctype
      ELSE 'LC_COLLATE ' || d.datcollate || ', LC_CTYPE ' || d.datctype END,
    -- From 15 on; the locale had another name before 17.
    CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN 'ICU ' WHEN 'b' THEN 'builtin ' END
      || COALESCE(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')),
  to_jsonb(d) ->> 'datcollversion',
  pg_is_in_recovery(),
  (SELECT count(*) FROM pg_stat_replication),
  (SELECT json_agg(json_build_array(extname, extversion) ORDER BY extname) FROM pg_extension),
  -- As they are for new sessions of this role: this one may have set others.
  (SELECT json_object_agg(name, CASE
      WHEN reset_val IN ('0', '-1') THEN reset_val
      WHEN unit IN ('kB', '8kB', 'MB') THEN pg_size_pretty(reset_val::bigint
        * CASE unit WHEN 'kB' THEN 1024 WHEN '8kB' THEN 8192 ELSE 1048576 END)
      ELSE concat_ws(' ', reset_val, unit) END)
   FROM pg_settings WHERE name = ANY (:settings)),
  -- What a crash loses is counted anew: then those of the background writer are reset too.
  to_char(GREATEST(s.stats_reset, (SELECT stats_reset FROM pg_stat_bgwriter))
    AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
  extract(epoch FROM now() - GREATEST(s.stats_reset, (SELECT stats_reset FROM pg_stat_bgwriter)))
    ::float,
  to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')
FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid
WHERE d.datname = current_database()
