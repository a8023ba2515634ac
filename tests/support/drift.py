"""What others have done to a database that was as the models describe; all of it is put right."""

INDEX = "DROP INDEX idx_dishes_name"
DRIFT = f"""{INDEX}; ALTER TABLE weight DROP weight;
ALTER TABLE dishes_day ALTER date TYPE varchar USING to_char(date, 'DD-MM-YYYY'),
  ALTER user_email DROP NOT NULL;
UPDATE dishes_day SET user_email = NULL;
ALTER TABLE alcohol_for_day DROP CONSTRAINT alcohol_for_day_pkey;
DROP INDEX idx_users_email; CREATE INDEX idx_users_email ON "user" (language)"""
# To be hung on one of these: the session that then builds an index is ended, again and again as
# `{0}` says of the number of times.
TERMINATE = """;
CREATE SEQUENCE deaths;
CREATE FUNCTION terminate() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF nextval('public.deaths') {0} THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
END $$;
CREATE EVENT TRIGGER terminate ON ddl_command_start WHEN tag IN ('CREATE INDEX')
  EXECUTE FUNCTION terminate();
"""
