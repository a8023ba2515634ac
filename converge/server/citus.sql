-- What Citus makes of this database: one row. Its catalogs are there from 12 on.
-- \set schemas 'ARRAY[''tenant'']'
SELECT
  -- None where this server coordinates, or no node was ever added to it.
  (SELECT json_build_array(c.nodename, c.nodeport) FROM pg_dist_local_group l
   LEFT JOIN pg_dist_node c ON c.groupid = 0 AND c.noderole = 'primary'
   WHERE l.groupid <> 0),
  current_setting('citus.enable_schema_based_sharding')::boolean,
  ARRAY(SELECT n.nspname::text FROM pg_dist_schema s JOIN pg_namespace n ON n.oid = s.schemaid
        WHERE n.nspname = ANY (:schemas)),
  (SELECT COALESCE(json_agg(json_build_array(n.nspname, c.relname)), '[]')
   FROM pg_dist_schema s JOIN pg_namespace n ON n.oid = s.schemaid
   JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
   WHERE n.nspname = ANY (:schemas) AND pg_relation_size(c.oid) > 0)
